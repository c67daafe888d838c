"""Ablation tables: each row with its exact cost and the scores of several seeds."""

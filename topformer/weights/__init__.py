"""Weights: released checkpoints, and what a design inherits from another."""

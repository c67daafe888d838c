"""Launching work: sweeps, training, the command line."""

"""Figures of results; matplotlib only."""

"""Spaces: a base design, axes and rules; sampled, counted, listed."""

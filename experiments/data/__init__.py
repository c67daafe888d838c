"""Data sets: the embedded one, and checks of those on disk."""

"""How pixels become the numbers that a network takes: the release's normalisation, which is mmsegmentation's."""

MEAN = (123.675, 116.28, 103.53)
"""Subtracted from red, green and blue, 0..255."""
STD = (58.395, 57.12, 57.375)
"""What they are then divided by."""

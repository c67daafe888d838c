"""Tests, in the shape of the code."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The clone that is tested."""

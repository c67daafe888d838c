"""Devices, and how a latency model is fitted to what was measured on them."""

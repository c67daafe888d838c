"""Networks whose public times calibrate devices, written from their papers."""

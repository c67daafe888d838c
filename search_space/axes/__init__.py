"""The axes along which a design may vary."""

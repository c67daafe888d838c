"""How long a design takes on a device."""

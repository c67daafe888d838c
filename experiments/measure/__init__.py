"""How long a network really takes: measured here, over ssh, or on a phone, and what that says of a device."""

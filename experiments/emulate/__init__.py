"""Instructions of a network on ARM without ARM hardware: counted while QEMU emulates them. A count, not a time."""

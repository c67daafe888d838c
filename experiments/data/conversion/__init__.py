"""Original annotations of known data sets, converted to what is trained on."""

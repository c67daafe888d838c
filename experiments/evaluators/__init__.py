"""Ways to obtain the accuracy of a candidate."""

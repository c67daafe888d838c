"""One network of shared weights for a whole search space, and the designs that are cut out of it."""

"""Records of trials: what they hold, how they are stored and read."""

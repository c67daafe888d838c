"""Successive halving over several objectives: many designs on a cheap rung, the best of them on the next."""

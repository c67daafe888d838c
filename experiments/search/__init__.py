"""Searches: a study, its sampler, and the sweep that runs it."""

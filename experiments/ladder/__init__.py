"""The ladder of accuracies held against the truth: trainings that make it, and searches replayed on it."""

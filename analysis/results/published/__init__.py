"""Accuracies on the paper's data sets, predicted from what was published: the points, a linear model, its errors."""

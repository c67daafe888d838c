"""Reading records and saying what they mean: Pareto fronts, tables, plots."""

"""What records say: Pareto fronts, effects, prunings, comparisons; numbers only."""

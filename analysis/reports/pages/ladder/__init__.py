"""The page of a truth table: what every cheaper accuracy is worth against full trainings."""

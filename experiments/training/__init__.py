"""Full trainings through mmsegmentation: recipes as data, configurations, and the runs themselves."""

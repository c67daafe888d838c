"""The analyses of the page of a run, one per file; see `analysis.reports.pages.card.shown_cards`."""

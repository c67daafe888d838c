"""The analyses of the page of a ladder, one per file; see `analysis.reports.pages.card.shown_cards`."""

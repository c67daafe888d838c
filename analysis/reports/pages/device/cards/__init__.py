"""The analyses of the page of a device, one per file; see `analysis.reports.pages.card.shown_cards`."""

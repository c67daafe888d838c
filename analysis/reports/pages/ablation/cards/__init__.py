"""The analyses of the page of an ablation, one per file; see `analysis.reports.pages.card.shown_cards`."""

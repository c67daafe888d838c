"""The lean training loop, in plain torch."""

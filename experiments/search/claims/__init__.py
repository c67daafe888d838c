"""Several drivers of one study: who evaluates what, and what became of it, in one database."""

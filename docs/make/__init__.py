"""Programs that write pages of the documentation; run from a clone, not part of the wheel."""

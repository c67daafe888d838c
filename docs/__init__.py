"""Documentation, and the programs that write some of its pages."""

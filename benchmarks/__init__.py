"""Programs that print ratios against a named peer; see docs/benchmarks.md."""

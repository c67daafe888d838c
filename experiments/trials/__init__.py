"""The loop that every trial goes through, whoever asked for it and wherever it runs."""

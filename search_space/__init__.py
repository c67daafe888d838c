"""How a design may vary, and what each design costs."""

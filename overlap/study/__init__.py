"""A whole study: every stage over every model, each skipped when done."""

"""What the paper studied: its models, their categories, its figures."""

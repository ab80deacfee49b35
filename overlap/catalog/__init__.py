"""Models, categories and figures of the paper."""

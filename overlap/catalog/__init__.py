"""The models, categories and figures of the paper."""

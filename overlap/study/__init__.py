"""Stages of a study over all its models; each skips what is done."""

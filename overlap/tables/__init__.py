"""The tables of a study: their columns, and their files."""

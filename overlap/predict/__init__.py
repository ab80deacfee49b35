"""Forward passes over data sets, and their outputs into the store."""

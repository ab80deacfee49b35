"""Linear probes: logistic regression on frozen features (Sec. 4.6, A.5)."""

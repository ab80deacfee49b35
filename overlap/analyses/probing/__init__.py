"""Linear probes on stored features (Sec. 4.6 and 4.7)."""

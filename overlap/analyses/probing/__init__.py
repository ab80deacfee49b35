"""What linear probes on stored features tell (Sec. 4.6 and 4.7)."""

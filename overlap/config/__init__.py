"""What may be written in a config and in a sweep, and its checks."""

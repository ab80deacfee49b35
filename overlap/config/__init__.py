"""Fields of configs and sweeps, their defaults, ranges and checks."""

"""Sweeps of `overlap` commands: work units, executors and states."""

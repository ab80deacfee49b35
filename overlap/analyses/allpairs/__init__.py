"""Counts of what ensembles of all pairs of models get right, in one pass.

`search` counts on a CPU with the few classes that can beat a label, `device` on
an accelerator with all classes, and `reference` is a plain NumPy version. All
three return the same counts. `blocks` reads the examples.
"""

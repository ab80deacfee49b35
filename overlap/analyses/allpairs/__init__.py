"""What the ensembles of all pairs of many models get right, in one pass.

`search` finds it on a CPU by looking at the few classes that can beat a label,
`device` on an accelerator by looking at all, `reference` as one would write it
in NumPy. All three count the same. `blocks` reads the examples.
"""

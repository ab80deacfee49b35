"""Ensembles of two models with unequal weights (Fig. 11).

`winning` computes the weights for which the label wins, `curves` counts, and
`analysis` makes the tables.
"""

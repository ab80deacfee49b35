"""Ensembles of two that do not weigh their members equally (Fig. 11).

`winning` finds for which weights the label wins, `curves` counts; `analysis`
makes the tables.
"""

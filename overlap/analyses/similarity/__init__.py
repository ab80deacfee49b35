"""Similarity of two models' representations (Sec. 4.6 and Fig. 13).

Everything is computed in feature space, from `XᵀX`, `YᵀY` and `XᵀY`: time and
memory grow linearly with the number of examples.
"""

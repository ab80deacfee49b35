"""How similar two models represent the same examples (Sec. 4.6 and Fig. 13).

Everything is computed in feature space, from `XᵀX`, `YᵀY` and `XᵀY`: time and
memory grow with the number of examples, never with its square.
"""

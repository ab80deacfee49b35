"""Which of two models is the more confident, and on what (Sec. 4.3, 4.4).

`angle` has the measure theta, `panels` the choice of pairs, `groups` the
groups of classes; `analysis` makes the tables.
"""

"""Relative confidence of two models, by example and class (Sec. 4.3, 4.4).

`angle` has the measure theta, `panels` the choice of pairs, `groups` the groups
of classes, and `analysis` makes the tables.
"""

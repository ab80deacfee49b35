"""Ensembles of more than two members (Sec. 4.5 and Fig. 5 of the paper)."""

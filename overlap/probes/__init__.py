"""Linear probes: logistic regression on frozen features (Sec. 4.6, A.5).

`probe` fits one strength or many, `selection` selects one on held-out
examples. Below them: `rows` and `normalise` read and normalise features,
`prepare` rotates them to their principal axes, along which the loss is well
conditioned, and `solve` runs the L-BFGS problems (`lbfgs`) of `slots`, on
features in memory (`descent`) or read in blocks.
"""

"""Linear probes: logistic regression on frozen features (Sec. 4.6, A.5).

`probe` fits one strength or many, `selection` chooses one on held-out
examples. Below them: `rows` and `normalise` read and normalise features,
`prepare` turns them to axes along which the loss is well conditioned, `solve`
drives `slots` of `lbfgs` over them, in memory (`descent`) or in blocks.
"""

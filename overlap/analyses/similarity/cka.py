"""Linear centred kernel alignment (Kornblith et al. 2019), from sums.

HSIC of linear kernels is, up to a factor that cancels, the squared norm of the
cross-covariance of the features. Its plug-in estimator is biased upwards where
features are many and examples few; the unbiased one of Song et al. (2012)
leaves each example's product with itself out. In feature space, with centred
features x_i and y_i of n examples, it is (times n (n - 3))

  |XᵀY|² - n/(n-2) Σ|x_i|²|y_i|² + Σ|x_i|² Σ|y_i|² / ((n-1)(n-2)).
"""

import numpy as np


def cka(cross: float, self_1: float, self_2: float) -> float:
  """The alignment; NaN where a representation is constant.

  Args:
    cross: |XᵀY|² or, debiased, `unbiased` of it.
    self_1: the same of X with itself.
    self_2: of Y with itself.
  """
  # Debiased, little is left of what says nothing, on either side of 0.
  if not (self_1 > 0 and self_2 > 0 and np.isfinite(cross)):
    return float('nan')
  return float(np.clip(cross / np.sqrt(self_1) / np.sqrt(self_2), -1, 1))


def unbiased(cross: float, norms_1: np.ndarray, norms_2: np.ndarray) -> float:
  """The unbiased HSIC of centred features, times n (n - 3).

  Args:
    cross: |XᵀY|².
    norms_1: |x_i|², float64 `[examples]`.
    norms_2: |y_i|², likewise.

  Returns:
    NaN for fewer than four examples. It may be below 0.
  """
  n = len(norms_1)
  if n < 4:
    return float('nan')
  both = norms_1.sum() * norms_2.sum() / ((n - 1) * (n - 2))
  return float(cross - n / (n - 2) * (norms_1 @ norms_2) + both)


def squared_norm(matrix: np.ndarray) -> float:
  """The sum of squares of a matrix, in float64 however it is stored."""
  return float(np.einsum('ij,ij->i', matrix, matrix).sum(dtype=np.float64))

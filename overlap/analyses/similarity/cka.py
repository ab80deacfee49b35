"""Linear centred kernel alignment (Kornblith et al. 2019), from sums.

HSIC of linear kernels is, up to a factor that cancels, the squared norm of the
cross-covariance of the features. Its plug-in estimator is biased upwards if
there are many features and few examples; the unbiased estimator of Song et al.
(2012) leaves out each example's product with itself. In feature space, with
centred features x_i and y_i of n examples, it is (times n (n - 3))

  |XᵀY|² - n/(n-2) Σ|x_i|²|y_i|² + Σ|x_i|² Σ|y_i|² / ((n-1)(n-2)).
"""

import numpy as np


def cka(cross: float, self_1: float, self_2: float) -> float:
  """Linear CKA; NaN if a representation is constant.

  Args:
    cross: |XᵀY|², or `unbiased` of it for debiased CKA.
    self_1: the same quantity of X with itself.
    self_2: the same quantity of Y with itself.
  """
  # The debiased value of an uninformative representation may be negative.
  if not (self_1 > 0 and self_2 > 0 and np.isfinite(cross)):
    return float('nan')
  return float(np.clip(cross / np.sqrt(self_1) / np.sqrt(self_2), -1, 1))


def unbiased(cross: float, norms_1: np.ndarray, norms_2: np.ndarray) -> float:
  """Unbiased HSIC of centred features, times n (n - 3).

  Args:
    cross: |XᵀY|².
    norms_1: squared norms |x_i|², float64 `[examples]`.
    norms_2: squared norms |y_i|², float64 `[examples]`.

  Returns:
    A value that may be negative; NaN for fewer than four examples.
  """
  n = len(norms_1)
  if n < 4:
    return float('nan')
  both = norms_1.sum() * norms_2.sum() / ((n - 1) * (n - 2))
  return float(cross - n / (n - 2) * (norms_1 @ norms_2) + both)


def squared_norm(matrix: np.ndarray) -> float:
  """Sum of squares of a matrix, in float64 for any storage type."""
  return float(np.einsum('ij,ij->i', matrix, matrix).sum(dtype=np.float64))

"""Mean canonical correlation among principal directions (SVCCA).

Raghu et al. (2017): both representations are projected on the principal
directions that hold most of their variance. The canonical correlations among
these are the singular values of the whitened cross-covariance. Their mean is
over the smaller of the two numbers of directions.
"""

import numpy as np


def whitening(gram: np.ndarray, variance: float) -> np.ndarray:
  """Principal directions, each divided by the norm of its projection.

  Args:
    gram: `XᵀX` of centred features, `[dimensions, dimensions]`.
    variance: fraction of the variance to keep, within (0, 1).

  Returns:
    The fewest directions that keep it, float32 `[dimensions, directions]`.
  """
  values, vectors = np.linalg.eigh(gram.astype(np.float64))
  values, vectors = values[::-1], vectors[:, ::-1]
  kept = np.cumsum(np.maximum(values, 0.0))
  # Rounding may leave the sum of all shares below 1, but `variance` < 1.
  count = int(np.searchsorted(kept, variance * kept[-1])) + 1
  return (vectors[:, :count] / np.sqrt(values[:count])).astype(np.float32)


def mean_correlation(
  cross: np.ndarray, white_1: np.ndarray, white_2: np.ndarray, examples: int
) -> float:
  """Mean canonical correlation of two representations.

  Args:
    cross: `XᵀY` of centred features, `[dimensions_1, dimensions_2]`.
    white_1: result of `whitening`, `[dimensions_1, directions_1]`.
    white_2: result of `whitening`, `[dimensions_2, directions_2]`.
    examples: number of examples.

  Returns:
    A correlation within [0, 1]; NaN if there are so few examples for so many
    directions that some correlations are 1 for any features.
  """
  if white_1.shape[1] + white_2.shape[1] > examples - 1:
    return float('nan')
  inner = white_1.T @ cross.astype(np.float32, copy=False) @ white_2
  found = np.linalg.svd(inner, compute_uv=False)
  return float(np.minimum(found, 1.0).mean(dtype=np.float64))

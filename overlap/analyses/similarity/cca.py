"""Mean canonical correlation among principal directions (SVCCA).

Raghu et al. (2017): both representations are cut to the principal directions
that hold most of their variance; the canonical correlations among these are
the singular values of the whitened cross-covariance, and their mean is over
the smaller of the two numbers of directions.
"""

import numpy as np


def whitening(gram: np.ndarray, variance: float) -> np.ndarray:
  """The principal directions, each over the length of its projection.

  Args:
    gram: `XᵀX` of centred features, `[dimensions, dimensions]`.
    variance: share of the variance to keep, within (0, 1).

  Returns:
    float32 `[dimensions, directions]`: the fewest directions that keep it.
  """
  values, vectors = np.linalg.eigh(gram.astype(np.float64))
  values, vectors = values[::-1], vectors[:, ::-1]
  kept = np.cumsum(np.maximum(values, 0.0))
  # The sum of shares may stop short of 1 by rounding, but not of less.
  count = int(np.searchsorted(kept, variance * kept[-1])) + 1
  return (vectors[:, :count] / np.sqrt(values[:count])).astype(np.float32)


def mean_correlation(
  cross: np.ndarray, white_1: np.ndarray, white_2: np.ndarray, examples: int
) -> float:
  """The mean canonical correlation.

  Args:
    cross: `XᵀY` of centred features, `[dimensions_1, dimensions_2]`.
    white_1: of `whitening`, `[dimensions_1, directions_1]`.
    white_2: `[dimensions_2, directions_2]`.
    examples: how many there are.

  Returns:
    Within [0, 1]; NaN where there are so few examples for so many directions
    that some correlations are 1 whatever the features.
  """
  if white_1.shape[1] + white_2.shape[1] > examples - 1:
    return float('nan')
  inner = white_1.T @ cross.astype(np.float32, copy=False) @ white_2
  found = np.linalg.svd(inner, compute_uv=False)
  return float(np.minimum(found, 1.0).mean(dtype=np.float64))

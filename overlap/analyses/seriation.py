"""An order of models in which those that err alike stand together."""

import numpy as np
from scipy.cluster import hierarchy
from scipy.spatial import distance

# Beyond, leaves are not turned: it takes time by the cube of their number.
_TURNED = 300


def order(distances: np.ndarray) -> list[int]:
  """The leaves of a tree of average linkage, turned to be near neighbours.

  Args:
    distances: float64 `[models, models]`, symmetric, 0 on the diagonal, none
      missing.

  Returns:
    A permutation of the models. The same distances give the same order.
  """
  if len(distances) < 3:
    return list(range(len(distances)))
  pairs = distance.squareform(np.asarray(distances, np.float64), checks=False)
  tree = hierarchy.average(pairs)
  if len(distances) <= _TURNED:
    tree = hierarchy.optimal_leaf_ordering(tree, pairs)
  return hierarchy.leaves_list(tree).tolist()

"""An order of models that places models with similar errors together."""

import numpy as np
from scipy.cluster import hierarchy
from scipy.spatial import distance

# With more models, leaves are not reordered, which takes cubic time.
_TURNED = 300


def order(distances: np.ndarray) -> list[int]:
  """Leaf order of average linkage with optimal leaf ordering.

  Args:
    distances: distances, float64 `[models, models]`, symmetric, 0 on the
      diagonal, without missing values.

  Returns:
    A permutation of the models, the same for the same distances.
  """
  if len(distances) < 3:
    return list(range(len(distances)))
  pairs = distance.squareform(np.asarray(distances, np.float64), checks=False)
  tree = hierarchy.average(pairs)
  if len(distances) <= _TURNED:
    tree = hierarchy.optimal_leaf_ordering(tree, pairs)
  return hierarchy.leaves_list(tree).tolist()

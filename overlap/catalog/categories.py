"""Distance between two models' training methods (Sec. 3.1 of the paper).

A pair's category is the furthest axis on which its two models differ. A model
that was trained here says where it lies on every axis; one that was brought
in may say only its category relative to the base model.
"""

from collections.abc import Mapping

from overlap import errors, lookup

# From near to far.
CATEGORIES = ('REINIT', 'HPARAM', 'ARCH', 'FRAMEWORK', 'DATASET')
# What the base model itself has in place of a category.
BASE = 'BASE'
# What a model has of which neither the axes nor the category is known.
UNKNOWN = ''

# The axis that makes each category, from near to far.
AXES = {
  'seed': 'REINIT',
  'hparams': 'HPARAM',
  'architecture': 'ARCH',
  'framework': 'FRAMEWORK',
  'dataset': 'DATASET',
}
_RANKS = {name: rank for rank, name in enumerate((BASE, *CATEGORIES))}

Axes = Mapping[str, str]


def rank(category: str) -> int:
  """The position from near to far: BASE 0, REINIT 1, ... unknown last.

  Raises:
    UsageError: no such category.
  """
  if category == UNKNOWN:
    return len(_RANKS)
  return _RANKS[lookup.check('category', category, _RANKS)]


def category_to_base(axes: Axes, base_axes: Axes) -> str:
  """The furthest axis on which a model differs from the base.

  Two runs with nothing set differently are 'REINIT': what differs is then
  what no setting controls.

  Args:
    axes: the model's place on each of `AXES`, compared as strings.
    base_axes: the base model's.

  Returns:
    One of `CATEGORIES`.

  Raises:
    DataError: an axis is missing.
  """
  found = CATEGORIES[0]
  for axis, category in AXES.items():
    if _place(axes, axis) != _place(base_axes, axis):
      found = category
  return found


def pair_category(
  axes_1: Axes | None,
  axes_2: Axes | None,
  category_1: str = UNKNOWN,
  category_2: str = UNKNOWN,
) -> str:
  """The category of a pair of models.

  Args:
    axes_1: the first model's place on each of `AXES`, or None.
    axes_2: the second model's.
    category_1: the first model's category relative to the base ('BASE' for
      the base itself, '' where unknown); used where axes are missing.
    category_2: the second model's.

  Returns:
    The furthest axis on which the two differ, where both have axes; else the
    further of the two categories, and '' where either is unknown.

  Raises:
    DataError: an axis is missing.
    UsageError: no such category.
  """
  if axes_1 and axes_2:
    return category_to_base(axes_1, axes_2)
  further = max(category_1, category_2, key=rank)
  return CATEGORIES[0] if further == BASE else further


def _place(axes: Axes, axis: str) -> str:
  if axis not in axes:
    raise errors.DataError(
      f"A model's axes must have all of {', '.join(AXES)}, got only "
      f'{", ".join(axes) or "none"}.'
    )
  return str(axes[axis])

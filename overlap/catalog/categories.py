"""Distance between two models' training methods (Sec. 3.1 of the paper).

A pair's category is the furthest axis on which its two models differ. A model
trained here has a position on every axis; an ingested one may have only a
category relative to the base model.
"""

from collections.abc import Mapping

from overlap.core import errors, lookup

# Categories from near to far.
CATEGORIES = ('REINIT', 'HPARAM', 'ARCH', 'FRAMEWORK', 'DATASET')
# Category of the base model itself.
BASE = 'BASE'
# Category of a model without known axes or category.
UNKNOWN = ''

# Category of each axis, from near to far.
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
  """Returns the rank from near to far: BASE 0, REINIT 1, ... unknown last.

  Raises:
    UsageError: the category is unknown.
  """
  if category == UNKNOWN:
    return len(_RANKS)
  return _RANKS[lookup.check_choice('category', category, _RANKS)]


def category_to_base(axes: Axes, base_axes: Axes) -> str:
  """Returns the furthest axis on which a model differs from the base.

  Two runs with the same settings are 'REINIT': they differ only in what no
  setting controls.

  Args:
    axes: position of the model on each of `AXES`, compared as strings.
    base_axes: position of the base model.

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
  """Returns the category of a pair of models.

  Args:
    axes_1: position of the first model on each of `AXES`, or None.
    axes_2: position of the second model, or None.
    category_1: category of the first model relative to the base ('BASE' for
      the base itself, '' if unknown); used if axes are missing.
    category_2: category of the second model relative to the base.

  Returns:
    The furthest axis on which the two differ if both have axes; otherwise the
    further of the two categories, or '' if either is unknown.

  Raises:
    DataError: an axis is missing.
    UsageError: a category is unknown.
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

"""Ranges of a config's numbers: all have one, and the defaults are in it."""

import math

import pytest

from overlap.config import defaults, ranges, schema
from overlap.core import errors


def numbers(tree):
  """Paths of the fields that are numbers, or lists of them."""
  flat = schema.flatten(schema._plain(tree.to_dict()))
  return {
    path
    for path, value in flat.items()
    if any(
      isinstance(one, (int, float)) and not isinstance(one, bool)
      for one in (value if isinstance(value, list) else [value])
    )
  }


def test_every_number_of_a_model_has_a_range():
  # Of which the default is empty.
  assert numbers(defaults.model('')) | {'train.milestones'} <= set(
    ranges.OF_MODEL
  )


def test_every_number_of_a_study_has_a_range_or_is_of_the_analyses():
  other = {
    path
    for path in numbers(defaults.study())
    if not path.startswith('analyses.')
  }
  assert other == set(ranges.OF_STUDY)


@pytest.mark.parametrize(
  ('tree', 'table'),
  [
    (defaults.model(''), ranges.OF_MODEL),
    (defaults.study(), ranges.OF_STUDY),
  ],
)
def test_the_defaults_are_in_their_ranges(tree, table):
  flat = schema.flatten(schema._plain(tree.to_dict()))
  ranges.check_ranges('config', flat, table)
  ranges.check_finite('config', flat)


@pytest.mark.parametrize(
  ('bounds', 'inside', 'outside', 'text'),
  [
    (ranges.Range(0), [0, 1e300], [-1, math.inf, math.nan], 'at least 0'),
    (ranges.Range(0, low_open=True), [1e-9], [0, -1], 'above 0'),
    (ranges.Range(0, 1), [0, 1, 0.5], [1.1, -0.1], 'in [0, 1]'),
    (ranges.Range(0, 1, high_open=True), [0], [1], 'in [0, 1)'),
    (ranges.Range(1, 2**31 - 1), [1], [0, 2**31], 'in [1, 2147483647]'),
    (ranges.Range(-math.inf), [-9, 9], [math.inf, math.nan], 'finite'),
    (ranges.Range(0, 3, only=(0, 1, 3)), [0, 3], [2], 'one of 0, 1, 3'),
  ],
)
def test_ranges(bounds, inside, outside, text):
  assert str(bounds) == text
  assert all(map(bounds.holds, inside))
  assert not any(map(bounds.holds, outside))


@pytest.mark.parametrize(
  ('value', 'told'),
  [
    ([], 'at.input.std must hold numbers above 0, got none'),
    ([0.5, 0.0], 'got 0.0 among (0.5, 0.0)'),
    (['x'], "got 'x'"),
    ([True], 'got True'),
    ([math.nan], 'got nan'),
  ],
)
def test_lists(value, told):
  with pytest.raises(errors.UsageError) as caught:
    ranges.check_ranges('at', {'input.std': value}, ranges.OF_MODEL)
  assert told in str(caught.value)

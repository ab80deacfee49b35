"""The furthest axis wins, whatever is known of the two models."""

import itertools

import pytest

from overlap.catalog import categories
from overlap.core import errors

NEAR = {
  'seed': '0',
  'hparams': 'a1',
  'architecture': 'resnet',
  'framework': 'supervised',
  'dataset': 'imagenet',
}
# Further and further axes, written out rather than taken from the module.
FURTHER = ('seed', 'hparams', 'architecture', 'framework', 'dataset')
NAMES = ('REINIT', 'HPARAM', 'ARCH', 'FRAMEWORK', 'DATASET')


def test_the_categories_are_the_papers_from_near_to_far():
  assert categories.CATEGORIES == NAMES
  ranks = [categories.rank(name) for name in ('BASE', *NAMES, '')]
  assert ranks == sorted(ranks)
  assert len(set(ranks)) == len(ranks)


@pytest.mark.parametrize(
  'changed',
  [c for r in range(1, 6) for c in itertools.combinations(FURTHER, r)],
)
def test_the_furthest_axis_that_differs_gives_the_category(changed):
  other = NEAR | dict.fromkeys(changed, 'other')
  expected = NAMES[max(FURTHER.index(axis) for axis in changed)]
  assert categories.category_to_base(other, NEAR) == expected
  assert categories.pair_category(other, NEAR) == expected
  assert categories.pair_category(NEAR, other, 'DATASET', '') == expected


def test_two_runs_with_nothing_changed_are_reinit():
  assert categories.category_to_base(NEAR, dict(NEAR)) == 'REINIT'


def test_axes_are_compared_as_strings():
  assert categories.category_to_base(NEAR | {'seed': 0}, NEAR) == 'REINIT'
  assert categories.category_to_base(NEAR | {'hparams': 1}, NEAR) == 'HPARAM'


@pytest.mark.parametrize(
  ('one', 'two', 'expected'),
  [
    ('BASE', 'ARCH', 'ARCH'),
    ('ARCH', 'BASE', 'ARCH'),
    ('HPARAM', 'FRAMEWORK', 'FRAMEWORK'),
    ('DATASET', 'DATASET', 'DATASET'),
    ('REINIT', 'REINIT', 'REINIT'),
    ('BASE', 'BASE', 'REINIT'),
    ('', 'DATASET', ''),
    ('BASE', '', ''),
  ],
)
def test_without_axes_the_further_category_counts(one, two, expected):
  for axes_1, axes_2 in ((None, None), (NEAR, None), (None, NEAR), ({}, NEAR)):
    assert categories.pair_category(axes_1, axes_2, one, two) == expected


def test_a_missing_axis_is_told():
  axes = {k: v for k, v in NEAR.items() if k != 'framework'}
  with pytest.raises(errors.DataError, match=r'framework.*got only seed'):
    categories.category_to_base(axes, NEAR)


def test_a_misspelt_category_is_told_with_the_nearest():
  with pytest.raises(errors.UsageError, match="Did you mean 'DATASET'"):
    categories.pair_category(None, None, 'DATSET', 'ARCH')

"""Tests of overlap.report.joined."""

import numpy as np
import pytest

from overlap.report import joined


@pytest.fixture
def tables(synthetic):
  return synthetic.study()


def test_counts(tables):
  pairs = tables['joined_pairs']
  pairs['half_gain_lower'] = -1.0
  pairs['half_gain_upper'] = 1.0
  pairs.loc[[0, 1, 2], 'half_gain_lower'] = 0.001
  pairs.loc[3, 'half_gain_upper'] = -0.001
  said = joined.joined(tables).sentences
  assert f'for 3 of {len(pairs)} pairs' in said[0]
  assert 'falls behind for 1;' in said[0]
  best = pairs.loc[pairs['half_gain'].idxmax()]
  assert f'“base” and “{best["model_2"]}”' in said[0]


@pytest.mark.parametrize(
  ('bounds', 'text'),
  [
    ((0.9, 0.99), 'the more is gained, as in the paper'),
    ((-0.2, 0.99), 'neither shown nor ruled out'),
    ((np.nan, np.nan), 'neither shown nor ruled out'),
    ((-0.9, -0.1), 'the less is gained'),
  ],
)
def test_more_different(tables, bounds, text):
  tables['joined_correlations'][['lower', 'upper']] = [bounds]
  assert text in joined.joined(tables).sentences[1]


def test_of_one_pair_nothing_is_the_most(tables):
  tables['joined_pairs'] = tables['joined_pairs'].iloc[:1]
  said = joined.joined(tables).sentences[0]
  assert '; for “base” and “seed 1”: ' in said


def test_two_pairs_have_no_correlation(tables):
  tables['joined_correlations']['n'] = 2
  assert joined.joined(tables).sentences[1] == (
    'There are too few pairs (2) for a correlation of that gain and error'
    ' inconsistency.'
  )


def test_compressed(tables):
  pairs = len(tables['joined_pairs'])
  said = joined.joined(tables).sentences[2]
  assert f'for {pairs} of {pairs} pairs, and more for 0' in said
  tables['compression_targets']['kept'] = 64
  said = joined.joined(tables).sentences[2]
  assert f'for 0 of {pairs} pairs, and more for 0' in said


def test_what_is_absent_is_not_said(tables):
  for name in ('joined_correlations', 'compression_targets'):
    del tables[name]
  assert len(joined.joined(tables).sentences) == 1
  tables['joined_pairs']['half_gain'] = np.nan
  assert joined.joined(tables) is None
  del tables['joined_pairs']
  assert joined.joined(tables) is None

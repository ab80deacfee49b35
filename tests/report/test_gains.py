"""Tests of overlap.report.gains against numbers worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from overlap.report import gains

N = 100


def pair(one, two, cells, right):
  """`cells`: both, only 1, only 2, neither; `right`: the ensemble's of each."""
  both, only_1, only_2, neither = cells
  first, second = (both + only_1) / N, (both + only_2) / N
  gain = sum(right) / N - (first + second) / 2
  return {
    'model_1': one, 'model_2': two, 'n': N, 'both_correct': both,
    'only_1': only_1, 'only_2': only_2, 'neither': neither,
    'accuracy_1': first, 'accuracy_2': second, 'lost': both - right[0],
    'converted_only_1': right[1], 'converted_only_2': right[2],
    'converted_neither': right[3], 'ensemble_accuracy': sum(right) / N,
    'gain': gain, 'gain_lower': gain - 0.005, 'gain_upper': gain + 0.005,
  }  # fmt: skip


@pytest.fixture
def pairs():
  """Three models: base 80 %, a 70 %, b 84 %."""
  return pd.DataFrame([
    pair('base', 'a', (65, 15, 5, 15), (64, 14, 3, 1)),
    pair('base', 'b', (77, 3, 7, 13), (77, 2, 6, 0)),
    pair('a', 'b', (62, 8, 22, 8), (61, 4, 18, 0)),
  ])  # fmt: skip


def test_ensembles(pairs):
  # Gains over the mean: 82 - 75 = 7, 85 - 82 = 3, 83 - 77 = 6 points; over
  # the better: 2, 1, -1. The first gains 3 + 1 examples on the base and loses
  # 1 + 1: (5 - 3) / 102 +- 1.96 sqrt((8 / 102 - (2 / 102)^2) / 102).
  assert gains.ensembles({'pairs': pairs}).sentences == (
    '“base” and “a” gain most over the mean of their accuracies: +7.00'
    ' (6.50–7.50) points, from 75.0 % to 82.0 %.',
    '“base” and “a” gain most over the better of the two: +2.00 (−3.46 to'
    ' 7.38) points, from 80.0 % to 82.0 %.',
    '2 of 3 pairs are more accurate together than the better of the two alone.',
    'The most of 3 gains flatters: less is to be expected of the same pairs on'
    ' other examples, which intervals do not say.',
  )


def test_the_interval_is_of_the_level_asked_for(pairs):
  # 1.64 in the place of 1.96.
  said = gains.ensembles({'pairs': pairs}, confidence=0.9).sentences
  assert '+2.00 (−2.59 to 6.51) points' in said[1]


def test_the_better_may_be_the_second(pairs):
  turned = pairs.iloc[:1].rename(
    columns=lambda name: (
      name[:-1] + {'1': '2', '2': '1'}[name[-1]] if name[-1] in '12' else name
    )
  )
  assert '+2.00 (−3.46 to 7.38)' in gains.ensembles({'pairs': turned})[1][1]


def test_ensembles_that_never_help(pairs):
  worse = pairs.assign(ensemble_accuracy=0.6)
  said = gains.ensembles({'pairs': worse}).sentences
  assert said[1].startswith('0 of 3 pairs')
  assert not any('over the better' in sentence for sentence in said)


def test_ensembles_of_hard_labels(pairs):
  none = pairs.assign(ensemble_accuracy=np.nan, gain=np.nan)
  assert gains.ensembles({'pairs': none}) is None
  none.loc[1, ['ensemble_accuracy', 'gain']] = 0.85, 0.03
  said = gains.ensembles({'pairs': none}).sentences
  assert said[-1].startswith('1 of 1 pair is more accurate')

"""Tests of overlap.report.larger against numbers worked out by hand."""

import json

import numpy as np
import pandas as pd
import pytest

from overlap.report import larger


def best(start, half, accuracy, selected, alone, p, members=()):
  gain = accuracy - alone
  return {
    'start': start, 'half': half, 'n': 100,
    'protocol': 'optimistic' if half == 'all' else 'cross_fitted',
    'members': json.dumps(members), 'accuracy': accuracy,
    'accuracy_lower': accuracy - 0.01, 'accuracy_upper': accuracy + 0.01,
    'start_accuracy': alone, 'improvement': gain,
    'improvement_lower': gain - 0.02, 'improvement_upper': gain + 0.02,
    'mcnemar_p': p, 'selection_accuracy': selected,
  }  # fmt: skip


def subset(half, size, subsets, accuracy, selected, by_greedy, greedy_selected):
  return {
    'half': half, 'size': size, 'subsets': subsets, 'accuracy': accuracy,
    'accuracy_lower': accuracy - 0.01, 'accuracy_upper': accuracy + 0.01,
    'selection_accuracy': selected, 'greedy_accuracy': by_greedy,
    'greedy_selection_accuracy': greedy_selected,
  }  # fmt: skip


@pytest.fixture
def study():
  """Starts a (80 %) and b (82 %); single best c with 83 %."""
  return {
    'models': pd.DataFrame({
      'model': ['a', 'b', 'c'], 'accuracy': [0.8, 0.82, 0.83],
      'accuracy_lower': [0.79, 0.81, 0.82],
      'accuracy_upper': [0.81, 0.83, 0.84],
    }),
    'greedy': pd.DataFrame({'step': [0, 1]}),
    'greedy_best': pd.DataFrame([
      best('a', '1', 0.9, 0.9, 0.8, 0.5),
      best('a', 'both', 0.84, 0.85, 0.8, 0.02),
      best('a', 'all', 0.85, 0.85, 0.8, 0.01, ['a', 'x']),
      best('b', 'both', 0.83, 0.87, 0.82, 0.2),
      best('b', 'all', 0.87, 0.87, 0.82, 0.01, ['b', 'x', 'y']),
    ]),
    'first_additions': pd.DataFrame(
      {'start_accuracy': [0.8, 0.82], 'added_accuracy': [0.7, 0.8]}
    ),
    'subsets': pd.DataFrame([
      subset('both', 1, 3, 0.83, 0.83, 0.83, 0.83),
      subset('both', 2, 3, 0.85, 0.88, 0.84, 0.87),
      subset('1', 2, 3, 0.99, 0.99, 0.99, 0.99),
    ]),
  }  # fmt: skip


def test_sentences(study):
  # Holm: 2 * 0.02 = 0.04 for a, 0.2 for b. Optimism: (1 + 4) / 2 points.
  assert larger.larger(study).sentences == (
    'Greedy selection from “b” reaches 83.0 % (82.0–84.0) (members chosen on'
    ' one half of the examples, scored on the other); “b” alone has 82.0 %:'
    ' +1.00 (−1.00 to 3.00) points.',
    'The best single model, “c”, has 83.0 % (82.0–84.0).',
    'By all examples, its members are “b”, “x”, “y”.',
    'On the very examples that members are chosen on, such ensembles seem more'
    ' accurate by 2.50 points, in the mean over 2 starts.',
    'Less accurate members make 1 of 2 starts significantly more accurate'
    ' (McNemar’s test at 5 % after Holm’s correction), by +4.00 points; in the'
    ' paper they take BiT-1k from 82.85 % to 86.66 %.',
    'The best of all 6 subsets of up to 2 of 3 models has 2 members and 85.0 %'
    ' (84.0–86.0), chosen and scored in the same way; greedy selection among'
    ' them comes to 84.0 % with 2.',
  )


@pytest.mark.parametrize(
  ('selected', 'said'),
  [
    ([0.84, 0.83], 'seem no more accurate than on others, in the mean'),
    ([0.84, 0.81], 'seem less accurate by 1.00 points, in the mean'),
  ],
)
def test_optimism_that_is_none(study, selected, said):
  table = study['greedy_best']
  table.loc[[1, 3], 'selection_accuracy'] = selected
  text = ' '.join(larger.larger(study).sentences)
  assert f'such ensembles {said} over 2 starts.' in text


def test_the_papers_way_is_said_to_be_too_high(study):
  table = study['greedy_best']
  study['greedy_best'] = table[table['half'] == 'all']
  said = larger.larger(study).sentences
  assert 'scored on the examples that members were chosen on' in said[0]
  assert any('too high' in sentence for sentence in said)


def test_members_that_are_no_less_accurate(study):
  study['first_additions']['added_accuracy'] = [0.7, 0.9]
  said = larger.larger(study).sentences
  assert any(s.startswith('Further members make 1 of 2 starts') for s in said)
  assert not any('BiT-1k' in sentence for sentence in said)


def test_members_that_never_help(study):
  study['greedy_best']['mcnemar_p'] = 0.9
  said = larger.larger(study).sentences
  assert any('make 0 of 2 starts' in sentence for sentence in said)


@pytest.mark.parametrize('missing', ['first_additions', 'subsets'])
def test_without_a_table(study, missing):
  whole = len(larger.larger(study).sentences)
  del study[missing]
  left = larger.larger(study).sentences
  assert len(left) == whole - (missing == 'subsets')


def test_nothing_to_say(study):
  assert larger.larger({'models': study['models']}) is None
  alone = study | {'greedy': pd.DataFrame({'step': [0]})}
  assert larger.larger(alone) is None
  study['greedy_best']['selection_accuracy'] = np.nan
  assert larger.larger(study) is None

"""Tests of overlap.report.order."""

import itertools

import pandas as pd
import pytest
from scipy import stats

from overlap.catalog import categories
from overlap.report import order


def study(means, half=0.001):
  rows = [
    {
      'category': category,
      'error_inconsistency': mean,
      'error_inconsistency_lower': mean - half,
      'error_inconsistency_upper': mean + half,
    }
    for category, mean in means.items()
  ]
  # The table's order must not matter.
  models = pd.DataFrame({'model': ['base', 'a'], 'category': ['BASE', 'ARCH']})
  return {'categories': pd.DataFrame(rows[::-1]), 'models': models}


def named(values):
  return dict(zip(categories.CATEGORIES, values))


def test_papers_order():
  said = order.order(study(named([0.05, 0.06, 0.08, 0.09, 0.12]))).sentences
  assert said == (
    'Mean error inconsistency with the base: REINIT 5.0 % (4.9–5.1), HPARAM'
    ' 6.0 % (5.9–6.1), ARCH 8.0 % (7.9–8.1), FRAMEWORK 9.0 % (8.9–9.1),'
    ' DATASET 12.0 % (11.9–12.1).',
    'In the paper, on ImageNet: REINIT 8.5 %, HPARAM 9.5 %, ARCH 11.7 %,'
    ' FRAMEWORK 12.6 %, DATASET 18.4 %.',
    'They stand in the paper’s order (Kendall’s τ = 1.00).',
  )


def test_papers_order_with_overlap():
  means = named([0.05, 0.0515, 0.08, 0.09, 0.12])
  said = order.order(study(means)).sentences[-1]
  assert said.endswith('though these intervals overlap: REINIT and HPARAM.')


def test_swapped_neighbours():
  # One of ten pairs is swapped: tau = (9 - 1) / 10.
  said = order.order(study(named([0.05, 0.06, 0.09, 0.08, 0.12]))).sentences
  assert said[2:] == (
    '9 of 10 pairs of categories stand in the paper’s order (Kendall’s τ ='
    ' 0.80).',
    'Swapped: ARCH lies above FRAMEWORK.',
  )


def test_swapped_within_intervals():
  means = named([0.05, 0.06, 0.09, 0.08, 0.12])
  said = order.order(study(means, half=0.006)).sentences[-1]
  assert said == (
    'Swapped: ARCH lies above FRAMEWORK, though their intervals overlap.'
  )


@pytest.mark.parametrize('seed', range(4))
def test_kendall_agrees_with_scipy(seed):
  for values in itertools.islice(
    itertools.permutations([0.05, 0.06, 0.08, 0.09, 0.12]), seed, None, 17
  ):
    tau = stats.kendalltau(range(5), values).statistic
    said = ' '.join(order.order(study(named(values))).sentences)
    text = f'τ = {abs(tau):.2f}' if tau >= 0 else f'τ = −{abs(tau):.2f}'
    assert text in said


def test_ties_are_not_in_order():
  said = order.order(study(named([0.05, 0.05, 0.08, 0.09, 0.12]))).sentences
  assert said[2].startswith('9 of 10 pairs')
  assert len(said) == 3


@pytest.mark.parametrize(
  ('means', 'said'),
  [
    ((0.05, 0.06), 'They stand in the paper’s order.'),
    ((0.06, 0.05), 'Swapped: REINIT lies above HPARAM.'),
  ],
)
def test_of_two_categories_tau_says_nothing(means, said):
  text = ' '.join(order.order(study(named(means))).sentences)
  assert said in text
  assert 'τ' not in text


def test_two_categories_without_intervals_have_no_order():
  means = {'REINIT': 0.05, 'DATASET': 0.1}
  said = order.order(study(means, half=float('nan'))).sentences
  assert said[2:4] == (
    'These are too few (2) to tell of an order.',
    'Too few models for an interval: REINIT, DATASET.',
  )


def test_missing_categories():
  said = order.order(study({'REINIT': 0.05, 'DATASET': 0.1})).sentences
  assert said[2].startswith('They stand in the paper’s order')
  assert said[3] == 'No model of this study is HPARAM, ARCH or FRAMEWORK.'


def test_one_category_has_no_order():
  said = order.order(study({'REINIT': 0.05}, half=float('nan'))).sentences
  assert said[0].endswith('REINIT 5.0 %.')
  assert said[2] == 'Too few models for an interval: REINIT.'
  assert 'order' not in ' '.join(said)


def test_models_of_unknown_category():
  tables = study({'REINIT': 0.05})
  tables['models'].loc[1, 'category'] = ''
  said = order.order(tables).sentences
  assert 'Of unknown category, and so in no mean: “a”.' in said


def test_no_categories():
  assert order.order({}) is None
  assert order.order({'categories': pd.DataFrame()}) is None

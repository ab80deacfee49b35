"""Tests of overlap.report.findings against numbers worked out by hand."""

import itertools

import numpy as np
import pandas as pd
import pytest

from overlap.report import findings, sentences

N = 100


def model(name, category, accuracy, **fields):
  row = {
    'model': name, 'category': category, 'accuracy': accuracy, 'n': N,
    'temperature': 1.0, 'ece': 0.04, 'ece_calibrated': 0.02,
    'in_window': True, 'calibration_converged': True,
    'calibration_bound_hit': False,
  }  # fmt: skip
  return row | fields


def pair(one, two, accuracies, inconsistency, together, p=1.0):
  first, second = accuracies
  gain = together - (first + second) / 2
  return {
    'model_1': one, 'model_2': two, 'category': 'ARCH', 'n': N,
    'accuracy_1': first, 'accuracy_2': second,
    'error_inconsistency': inconsistency,
    'error_inconsistency_lower': inconsistency - 0.01,
    'error_inconsistency_upper': inconsistency + 0.02,
    'ensemble_accuracy': together, 'gain': gain,
    'gain_lower': gain - 0.005, 'gain_upper': gain + 0.005,
    'mcnemar_p_holm': p,
  }  # fmt: skip


@pytest.fixture
def study():
  """Three models: base 80 %, a 70 %, b 84 %."""
  models = [
    model('base', 'BASE', 0.8),
    model('a', 'ARCH', 0.7, temperature=0.5),
    model('b', 'ARCH', 0.84, temperature=2.0),
  ]
  pairs = [
    pair('base', 'a', (0.8, 0.7), 0.2, 0.82, p=0.01),
    pair('base', 'b', (0.8, 0.84), 0.1, 0.85, p=0.3),
    pair('a', 'b', (0.7, 0.84), 0.3, 0.83, p=0.001),
  ]
  return {'models': pd.DataFrame(models), 'pairs': pd.DataFrame(pairs)}


def correlations(*rows):
  columns = ['name', 'scope', 'pearson', 'lower', 'upper', 'slope', 'n']
  return pd.DataFrame(rows, columns=columns)


def test_differences(study):
  assert findings.differences(study).sentences == (
    '“a” and “b” differ most: only one of the two is right on 30.0 %'
    ' (29.0–32.0) of the 100 examples.',
    'The most alike are “base” and “b”, with 10.0 % (9.0–12.0).',
    'Furthest from the base, “base”, is “a”: 20.0 % (19.0–22.0).',
  )


def test_differences_without_pairs_with_the_base(study):
  study['pairs'] = study['pairs'].iloc[2:]
  assert len(findings.differences(study).sentences) == 1


def test_correlation(study):
  study['correlations'] = correlations(
    ['error_inconsistency_vs_gain', 'base', 0.97, 0.93, 0.99, 0.37, 14],
    ['error_inconsistency_vs_gain', 'all', 0.5, 0.4, 0.6, 0.3, 105],
    ['error_inconsistency_vs_conversion_rate', 'base', -0.2, -0.5, 0.1, 1, 14],
  )
  assert findings.correlation(study).sentences == (
    'Over the 14 pairs with the base, error inconsistency and gain correlate'
    ' with r = 0.970 (0.930–0.990); the paper, on ImageNet, has 0.988.',
    'A point more of error inconsistency goes with 0.37 points of gain.',
    'Over all 105 pairs, r = 0.500 (0.400–0.600).',
    'Error inconsistency and the share of inconsistent examples that the'
    ' ensemble gets right correlate with r = −0.200 (−0.500 to 0.100); in the'
    ' paper that share rises with error inconsistency.',
  )


def test_two_pairs_always_correlate(study):
  study['correlations'] = correlations(
    ['error_inconsistency_vs_gain', 'base', 1.0, 1.0, 1.0, 0.37, 2],
    ['error_inconsistency_vs_gain', 'all', 0.99, 0.9, 1.0, 0.3, 3],
    ['error_inconsistency_vs_conversion_rate', 'base', -1.0, -1, -1, 1, 2],
  )
  few = (
    'With the base there are too few pairs (2) for a correlation of error'
    ' inconsistency and gain.'
  )
  assert findings.correlation(study).sentences == (few,)
  study['correlations'].loc[1, 'n'] = 6
  assert findings.correlation(study).sentences == (
    few,
    'Over all 6 pairs, the two correlate with r = 0.990 (0.900–1.000).',
  )


def test_of_one_pair_nothing_is_the_most(study):
  study['models'] = study['models'].iloc[:2]
  study['pairs'] = study['pairs'].iloc[:1]
  assert findings.differences(study).sentences == (
    '“base” and “a” differ: only one of the two is right on 20.0 %'
    ' (19.0–22.0) of the 100 examples.',
  )
  assert 'Of all' not in findings.significance(study).sentences[-1]


def test_a_study_of_three_models_states_no_correlation(synthetic):
  few = {name: synthetic.MODELS[name] for name in ('base', 'seed 1', 'SimCLR')}
  said = [
    sentence
    for finding in findings.findings(synthetic.study(few))
    for sentence in finding.sentences
  ]
  assert not any('r = ' in s or 'τ' in s for s in said)
  # Of joined features, similarity and specialisation.
  assert sum('too few pairs (' in s for s in said) == 3


def test_what_neither_gets_right(study):
  study['correlations'] = correlations(
    ['error_inconsistency_vs_gain', 'base', 0.97, 0.93, 0.99, 0.37, 14]
  )
  before = findings.correlation(study).sentences
  name = 'neither_conversion_rate'
  study['categories'] = pd.DataFrame({
    'category': ['DATASET', 'REINIT', 'ARCH'],
    name: [0.07, 0.01, float('nan')],
    f'{name}_lower': [0.06, float('nan'), float('nan')],
    f'{name}_upper': [0.08, float('nan'), float('nan')],
  })  # fmt: skip
  assert findings.correlation(study).sentences == (
    *before,
    'Of the examples that neither the base nor the other model gets right, the'
    ' ensemble gets 1.0 % for REINIT and 7.0 % (6.0–8.0) for DATASET on'
    ' average, the least and the most of the categories; the paper has 1.3 %'
    ' for REINIT, 3.0 % for ARCH, 6.8 % for DATASET.',
  )
  study['categories'][name] = 0.01
  assert findings.correlation(study).sentences == before


def test_correlation_that_cannot_be_had(study):
  assert findings.correlation(study) is None
  nan = float('nan')
  row = ['error_inconsistency_vs_gain', 'base', nan, nan, nan, nan, 1]
  study['correlations'] = correlations(row)
  assert findings.correlation(study) is None


def test_significance(study):
  assert findings.significance(study).sentences == (
    'By McNemar’s test at 5 % after Holm’s correction:',
    '1 of 2 models differs in accuracy from the base.',
    'More accurate than it: none; less accurate: “a”.',
    '2 of 3 pairs differ in accuracy.',
  )
  # Of one pair nothing more is to be said.
  study['pairs'] = study['pairs'].iloc[:1]
  said = findings.significance(study).sentences
  assert said[-1] == 'More accurate than it: none; less accurate: “a”.'


def test_window(study):
  assert findings.window(study) is None
  study['models']['in_window'] = [True, False, True]
  said = findings.window(study).sentences
  assert said[0].startswith('“a” (70.0 %): category means')
  del study['models']['in_window']
  assert findings.window(study) is None


def test_calibration(study):
  found = findings.calibration(study)
  assert not found.warning
  assert found.sentences == (
    'Temperatures run from 0.50 (“a”) to 2.00 (“b”); they change the median'
    ' calibration error from 4.0 % to 2.0 %.',
  )


def test_calibration_warns(study):
  study['models']['calibration_converged'] = [True, False, True]
  study['models']['calibration_bound_hit'] = [False, False, True]
  found = findings.calibration(study)
  assert found.warning
  assert 'bound of its search: “b”.' in found.sentences[0]
  assert found.sentences[1].endswith('did not converge: “a”.')


def test_calibration_says_how_many_examples_it_leaves_out(study):
  study['models']['calibration_left_out'] = [0, 7, 3]
  study['models'].loc[1, 'ece_calibrated'] = np.nan
  study['models'].loc[1, 'ece'] = 0.5
  found = findings.calibration(study)
  assert found.warning
  assert '“a” 7 of 100, “b” 3 of 100.' in found.sentences[0]
  # Of the models that have both.
  assert 'from 4.0 % to 2.0 %' in found.sentences[1]


def test_calibration_of_hard_labels(study):
  study['models'].loc[1, 'temperature'] = np.nan
  flags = ['calibration_converged', 'calibration_bound_hit']
  study['models'][flags] = study['models'][flags].astype('boolean')
  study['models'].loc[1, flags] = pd.NA
  found = findings.calibration(study)
  assert not found.warning
  assert found.sentences[0].endswith('no ensembles: “a”.')


def test_all_findings(synthetic):
  titles = [finding.title for finding in findings.findings(synthetic.study())]
  assert len(titles) == len(set(titles)) == 14


def test_findings_of_one_model(synthetic):
  found = findings.findings(synthetic.study({'base': 'BASE'}))
  assert [finding.title for finding in found] == ['Calibration']


@pytest.mark.parametrize('size', [0, 1, 6, 7, 9])
def test_long_lists_are_cut(size):
  names = [name for name, _ in zip('abcdefghij', range(size))]
  text = sentences.named(names)
  assert text.count('“') == min(size, 6)
  assert text.endswith(f' and {size - 6} more') == (size > 6)
  assert (text == 'none') == (size == 0)


def test_every_sentence_is_one(synthetic):
  for finding in findings.findings(synthetic.study()):
    for one in finding.sentences:
      assert one[-1] in '.:'
      assert 'nan' not in one.lower().replace('dominance', '')
      assert not any(a == b == ' ' for a, b in itertools.pairwise(one))


def test_models_without_categories(synthetic):
  study = synthetic.study()
  assert findings.uncategorised(study) is None
  study['models'] = study['models'].assign(category=['BASE'] + [''] * 14)
  found = findings.uncategorised(study)
  assert found.title == 'No categories'
  assert 'REINIT, HPARAM, ARCH, FRAMEWORK or DATASET' in found.sentences[0]
  study['models'] = study['models'].iloc[:1]
  assert findings.uncategorised(study) is None

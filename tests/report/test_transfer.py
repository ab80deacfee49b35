"""Tests of overlap.report.transfer against numbers made up by hand."""

import numpy as np
import pandas as pd

from overlap.report import transfer


def row(one, two='', score=0.8, source=0.9, gain=np.nan, **more):
  return {
    'dataset': 'voc', 'model_1': one, 'model_2': two, 'metric': 'mAP', 'n': 500,
    'score': score, 'score_lower': score - 0.01, 'score_upper': score + 0.01,
    'source_accuracy_1': source, 'error_inconsistency': np.nan,
    'best_single': one if two else '', 'gain': gain, 'gain_lower': gain - 0.02,
    'gain_upper': gain + 0.02, 'p_value_holm': np.nan, 'converged': True,
  } | more  # fmt: skip


def said(*rows):
  found = transfer.transfer({'transfer': pd.DataFrame(rows)})
  return None if found is None else ' '.join(found.sentences)


SINGLES = row('a', score=0.8, source=0.9), row('b', score=0.85, source=0.7)


def test_singles():
  text = said(*SINGLES)
  assert 'features of “b” have the highest 11-point mean average' in text
  assert '85.0 % (84.0–86.0) on 500 test examples.' in text
  assert 'the most accurate of them on the source, “a”, has 80.0 %' in text
  same = said(row('a', score=0.9), SINGLES[1])
  assert 'also the most accurate of them on the source' in same
  assert 'pairs' not in same


def test_pairs():
  text = said(
    *SINGLES,
    row('a', 'b', 0.86, gain=0.01, error_inconsistency=0.2, p_value_holm=0.04,
        best_single='b'),
    row('a', 'c', 0.84, gain=0.04, error_inconsistency=0.1, p_value_holm=0.01),
    row('b', 'c', 0.83, gain=-0.02, error_inconsistency=0.1, p_value_holm=0.01),
  )  # fmt: skip
  assert 'the intervals of 2 others of 5 reach into its own' in text
  assert '1 of 3 pairs scores higher than the better of the two' in text
  # A loss is no gain, however significant.
  assert '2 by a permutation test at 5 % after Holm’s correction' in text
  assert '“a” and “c” gain most: +4.00 (2.00–6.00) points over “a”' in text
  assert '“a” and “b” err most differently on the source (20.0 %)' in text
  assert 'place 1 of 3 pairs by score' in text
  assert 'The best pair, “a” and “b”, gains +1.00 (−1.00 to 3.00)' in text
  assert 'favours models alone' in text


def test_no_test_and_one_pair():
  text = said(*SINGLES, row('a', 'b', 0.86, gain=0.01, best_single='b'))
  assert 'Holm' not in text
  assert 'differently' not in text
  assert '“a” and “b” gain: +1.00 (−1.00 to 3.00) points over “b”' in text
  accuracy = [
    one | {'metric': 'accuracy', 'p_value_holm': 0.5}
    for one in (*SINGLES, row('a', 'b', 0.86, gain=0.01))
  ]
  assert '0 by McNemar’s test' in said(*accuracy)


def test_probes_that_do_not_converge():
  found = transfer.transfer({
    'transfer': pd.DataFrame([*SINGLES, row('c', converged=False)])
  })  # fmt: skip
  assert found.warning
  assert 'did not converge: “c”' in found.sentences[-1]


def test_without_transfer(tables):
  assert transfer.transfer(tables) is not None
  tables['transfer'] = tables['transfer'][:0]
  assert transfer.transfer(tables) is None
  del tables['transfer']
  assert transfer.transfer(tables) is None

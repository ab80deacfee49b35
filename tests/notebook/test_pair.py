"""Tests of overlap.notebook.pair: the numbers of two models, either way."""

import re

import pandas as pd
import pytest

import overlap
from overlap.core import errors
from overlap.notebook import pair as pair_lib


@pytest.fixture
def study(workdir):
  return overlap.load_study(workdir)


def text_of(html):
  return re.sub('<[^>]+>', ' ', html).replace('\u00a0', ' ')


def test_numbers_are_the_row_of_the_table(study):
  pair = study.pair('base', 'CLIP-S')
  row = study.pairs.query("model_1 == 'base' and model_2 == 'CLIP-S'").iloc[0]
  assert pair.gain == row['gain']
  pd.testing.assert_series_equal(pair.numbers, row, check_names=False)
  assert pair.counts.to_numpy().tolist() == [
    [row['both_correct'], row['only_1']], [row['only_2'], row['neither']],
  ]  # fmt: skip


def test_the_model_that_is_named_first_is_model_1(study):
  one, other = study.pair('base', 'CLIP-S'), study.pair('CLIP-S', 'base')
  assert (other.model_1, other.model_2) == ('CLIP-S', 'base')
  assert other.only_1 == one.only_2 != one.only_1
  assert other.accuracy_1 == one.accuracy_2
  assert other.dominance_2 == one.dominance_1
  assert other.converted_only_1 == one.converted_only_2
  assert other.gain == one.gain
  assert (other.counts.to_numpy() == one.counts.to_numpy().T).all()
  assert one.table('classes').equals(other.table('classes'))


def test_a_pair_shows_itself(study):
  pair = study.pair('CLIP-S', 'base')
  text = text_of(pair._repr_html_())
  assert f'{pair.only_1:,} ({100 * pair.only_1 / pair.n:.1f} %)' in text
  (accuracy,) = re.findall(r'Accuracy of “CLIP-S”\s+(\S+) %', text)
  assert accuracy == f'{100 * pair.accuracy_1:.1f}'
  assert 'model 1' not in text
  # What lies in other tables is there whichever model is named first.
  same = text_of(study.pair('base', 'CLIP-S')._repr_html_())
  for name in ('Linear CKA', 'Means of θ apart'):
    (value,) = re.findall(rf'{name}\s+(\S+)', text)
    assert re.findall(rf'{name}\s+(\S+)', same) == [value]
  assert repr(pair).startswith("Pair of 'CLIP-S' and 'base'")


def test_names_are_escaped_and_hard_labels_have_no_ensemble(study, synthetic):
  html = study.pair(synthetic.HOSTILE, synthetic.HARD_LABEL)._repr_html_()
  assert synthetic.HOSTILE not in html
  assert 'Error inconsistency' in html
  assert 'Ensemble accuracy' not in html


@pytest.mark.parametrize(('names', 'says'), [
  (('base', 'CLIP_S'), "Did you mean 'CLIP-S'"),
  (('base', 'base'), 'two different models'),
])  # fmt: skip
def test_what_is_no_pair(study, names, says):
  with pytest.raises(errors.UsageError, match=says):
    study.pair(*names)


def test_a_pair_that_was_not_compared(tmp_path, synthetic, tables):
  pairs = tables['pairs']
  kept = pairs[pairs['model_1'] == 'base']
  synthetic.write(tmp_path, tables | {'pairs': kept})
  study = overlap.load_study(tmp_path)
  with pytest.raises(errors.DataError, match=r'config\.analyses\.pairs'):
    study.pair('seed 1', 'seed 2')


def test_a_number_or_a_table_that_is_not_there(study):
  pair = study.pair('base', 'seed 1')
  with pytest.raises(errors.UsageError, match=r"Did you mean 'gain'"):
    _ = pair.gian
  with pytest.raises(errors.UsageError, match=r"Did you mean 'classes'"):
    pair.table('clases')
  with pytest.raises(errors.UsageError, match='table of pairs'):
    pair.table('models')


def test_turned_rows_keep_their_columns():
  table = pd.DataFrame(
    {'model_1': ['a'], 'model_2': ['b'], 'x_1': [1], 'x_2': [2], 'y': [3]}
  )
  found = pair_lib.turned(table, 'b', 'a')
  assert list(found.columns) == list(table.columns)
  assert found.values.tolist() == [['b', 'a', 2, 1, 3]]
  assert pair_lib.turned(table, 'a', 'c').empty

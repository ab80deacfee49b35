"""The tables of joined and of compressed features, from a store."""

import numpy as np
import pandas as pd
import pytest
from sklearn import linear_model

from overlap import store
from overlap.analyses import run
from overlap.analyses.probing import joined, joined_analysis
from overlap.analyses.probing.features import Dimensions
from overlap.core import errors

PROBING = {'strengths': 3, 'weakest': 1e-2, 'seeds': 2, 'kept': (2, 4, 8, 16)}
TABLES = joined_analysis.TABLES


def analyse(workdir, tables=TABLES, **probing):
  return run.analyse(
    workdir=workdir, dataset='toy', split='test', base='base',
    options={'tables': tables, 'probing': PROBING | probing},
  )  # fmt: skip


@pytest.fixture(
  scope='module',
  params=[(8, 16), pytest.param(PROBING['kept'], marks=pytest.mark.slow)],
  ids=['some kept', 'all kept'],
)
def kept(request):
  return request.param


@pytest.fixture(scope='module')
def made(workdir, kept):
  return analyse(workdir, kept=kept)


def test_joined(made):
  table = made['joined']
  assert set(table['model_2']) == {'reinit', 'wide', 'other'}
  assert (table['dims_1'] + table['dims_2'] <= 8)[~table['whole']].all()
  one = table[table['model_2'] == 'reinit']
  # All of either once, two draws of each share between.
  assert sorted(one['percent']) == [0, 25, 25, 50, 50, 75, 75, 100]
  wide = table[table['model_2'] == 'wide']
  assert sorted(wide['dims_2'][wide['percent'] == 0]) == [8, 8, 20]
  assert wide['whole'].sum() == 1
  assert table['converged'].all()
  # The base alone is one probe, whatever the pair.
  assert table['accuracy'][table['percent'] == 100].nunique() == 1


def test_the_base_as_scikit_learn_has_it(made, workdir):
  reader = store.Store(workdir)
  row = made['joined'].query('percent == 100').iloc[0]

  def read(*splits):
    parts = [
      (reader.read('toy', s, 'base', 'features'),
       reader.examples('toy', s).labels)
      for s in splits
    ]  # fmt: skip
    raw = np.concatenate([x for x, _ in parts])
    lengths = np.linalg.norm(raw, axis=1, keepdims=True)
    return raw / lengths, np.concatenate([y for _, y in parts])

  statistics, _ = read('probe_train')
  mean, std = statistics.mean(axis=0), statistics.std(axis=0)
  features, labels = read('probe_train', 'probe_heldout')
  theirs = linear_model.LogisticRegression(
    C=1 / (len(labels) * row['l2']), tol=1e-8, max_iter=10000
  ).fit((features - mean) / std, labels)
  test, truth = read('test')
  right = (theirs.predict((test - mean) / std) == truth).sum()
  assert abs(right - row['correct']) <= 1


def test_different_features_gain_most(made):
  pairs = made['joined_pairs'].set_index('model_2')
  assert pairs['half_gain']['other'] > 0.05
  assert pairs['half_gain_lower']['other'] > 0
  assert pairs['half_gain']['other'] > pairs['half_gain']['reinit']
  means = made['joined_categories'].set_index('category')
  assert means['half_gain']['DATASET'] == pairs['half_gain']['other']
  assert made['joined_correlations']['n'].tolist() == [3]


def test_half_gain_is_of_the_table(made):
  table = made['joined'].query('not whole or dims_2 <= 8')
  for _, pair in made['joined_pairs'].iterrows():
    own = table[table['model_2'] == pair['model_2']]
    means = own.groupby('percent')['accuracy'].mean()
    expected = means[50] - max(means[0], means[100])
    assert pair['half_gain'] == pytest.approx(expected)
    assert pair['accuracy_half'] == pytest.approx(means[50])


def test_compression(made, kept):
  table = made['compression']
  other = table[table['model_2'] == 'other']
  assert set(other['kept']) == set(kept)
  # All dimensions are all dimensions, whatever their order.
  everything = other[other['kept'] == 16]
  assert everything['accuracy'].nunique() == 1
  assert set(other['ranking']) == {
    'correlation', 'variance', 'cholesky', 'random',
  }  # fmt: skip
  base = made['joined'].query('percent == 100')['accuracy'].iloc[0]
  targets = made['compression_targets']
  assert np.allclose(targets['target'], base)
  for _, row in targets.iterrows():
    own = table[
      (table['model_2'] == row['model_2'])
      & (table['ranking'] == row['ranking'])
      & (table['seed'] == row['seed'])
    ]
    enough = own[own['accuracy'] >= row['target']]['kept']
    assert pd.notna(row['kept']) == bool(len(enough))
    if len(enough):
      assert row['kept'] == enough.min()
  means = made['compression_categories'].set_index(['category', 'ranking'])
  assert means['pairs'].eq(1).all()
  own = targets.query('model_2 == "other" and ranking == "random"')['kept']
  assert means['kept']['DATASET', 'random'] == own.mean()


@pytest.mark.slow
def test_a_target_out_of_reach(workdir):
  made = analyse(workdir, target=1.0, rankings=('random',), kept=(2,))
  assert made['compression_targets']['kept'].isna().all()
  assert made['compression_categories']['reached'].eq(0).all()
  assert made['compression_categories']['kept'].isna().all()


@pytest.mark.slow
def test_the_same_again_and_alone(workdir, made):
  again = analyse(workdir, tables=('joined',))
  assert again['joined'].equals(made['joined'])


@pytest.mark.slow
def test_views_alone(workdir):
  made = analyse(workdir, pairs='views', rankings=())
  assert set(made['joined']['model_2']) <= {'reinit', 'wide', 'other'}
  assert made['compression'].empty


def test_without_the_splits(workdir):
  made = analyse(workdir, train='nothing')
  assert all(table.empty for table in made.values())


@pytest.mark.parametrize(
  ('option', 'text'),
  [
    ({'normalisation': 'l3'}, 'probing.normalisation'),
    ({'pairs': 'all'}, 'probing.pairs'),
    ({'strengths': 0}, 'probing.strengths'),
    ({'rankings': ('diverse',)}, 'probing.rankings'),
    ({'kept': (0,)}, 'probing.kept'),
    ({'percents': (101,)}, r'\[0, 100\]'),
    ({'target': 76}, r'\[0, 1\]'),
  ],
)
def test_faulty_options(workdir, option, text):
  with pytest.raises(errors.UsageError, match=text):
    analyse(workdir, **option)


def test_half_gain_by_hand():
  nothing = Dimensions('b', np.arange(0)), Dimensions('o', np.arange(0))

  def draw(percent, seed, whole=False):
    return joined.Draw(percent, seed, whole, nothing)

  draws = [draw(0, 0), draw(50, 0), draw(50, 1), draw(100, 0), draw(0, 0, True)]
  correct = np.array([
    [1, 0, 0, 0], [1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1],
  ])  # fmt: skip
  got = joined.half_gain(draws, correct, confidence=0.95)
  assert got['accuracy_base'] == 0.5
  assert got['accuracy_other'] == 0.25
  assert got['accuracy_half'] == 0.625
  assert got['half_gain'] == 0.125
  gains = np.array([0, 1, -0.5, 0])
  variance = gains.var(ddof=1) / 4 + np.var([0.75, 0.5], ddof=1) / 2
  reach = 1.959964 * np.sqrt(variance)
  assert got['half_gain_upper'] - 0.125 == pytest.approx(reach, rel=1e-6)


def test_half_gain_without_halves():
  nothing = Dimensions('b', np.arange(0)), Dimensions('o', np.arange(0))
  draws = [joined.Draw(p, 0, False, nothing) for p in (0, 25, 100)]
  got = joined.half_gain(draws, np.ones((3, 5), bool), confidence=0.95)
  assert np.isnan(got['half_gain'])
  assert np.isnan(got['half_gain_lower'])
  assert got['accuracy_base'] == 1

"""The tables of similarity, from a store, against loops over its arrays."""

import hashlib
import itertools

import numpy as np
import pytest
from absl import logging
from scipy import stats as scipy_stats

from overlap import store
from overlap.analyses import run, stats
from overlap.analyses.similarity import chosen, pairwise
from overlap.analyses.similarity.options import Similarity
from overlap.core import errors

CLASSES, EXAMPLES = 4, 130
IDS = [f'{i:04d}' for i in range(EXAMPLES)]
WIDTHS = {'base': 8, 'b': 12, 'c': 5, 'd': 30, 'e': 9}
CATEGORY = {'b': 'REINIT', 'c': 'ARCH', 'd': 'ARCH', 'e': 'DATASET'}
TABLES = ['similarity', 'similarity_correlations']
MEASURES = pairwise.MEASURES


def seen():
  return np.random.default_rng(0).normal(size=(EXAMPLES, 6))


def labels_of():
  return np.argmax(seen()[:, :CLASSES], axis=1)


def arrays_of(name):
  rng = np.random.default_rng(sum(name.encode()))
  noise = 0.3 + 0.3 * list(WIDTHS).index(name)
  view = seen() + noise * rng.normal(size=(EXAMPLES, 6))
  features = np.maximum(view @ rng.normal(size=(6, WIDTHS[name])), 0)
  return {
    'logits': view[:, :CLASSES].astype(np.float32),
    'features': features.astype(np.float32),
  }


def build(path, arrays):
  store.write_examples(
    path, dataset='shapes', split='test', ids=IDS, labels=labels_of(),
    class_names=[f'class {c}' for c in range(CLASSES)],
  )  # fmt: skip
  for model, held in arrays.items():
    with store.RecordWriter(
      path, dataset='shapes', split='test', model=model
    ) as writer:
      for name, value in held.items():
        writer.create(name, shape=value.shape, dtype=value.dtype)
        writer.write(name, 0, value)
      writer.finish({'category': CATEGORY.get(model, 'ARCH')})
  return path


@pytest.fixture(scope='module')
def workdir(tmp_path_factory):
  arrays = {name: arrays_of(name) for name in WIDTHS}
  arrays['without'] = {'logits': arrays_of('b')['logits']}
  return build(tmp_path_factory.mktemp('store'), arrays)


def analyse(workdir, pairs='all', window=0.0, models=None, **similarity):
  options = {
    'tables': [*TABLES, 'pairs'],
    'similarity': similarity,
    'resamples': 0,
    'window': window,
  }
  return run.analyse(
    workdir=workdir, dataset='shapes', split='test', base='base', pairs=pairs,
    models=models, options=options,
  )  # fmt: skip


@pytest.fixture(scope='module')
def made(workdir):
  return analyse(workdir)


def test_every_pair_with_features_has_a_row(made):
  table = made['similarity']
  order = ['base', 'b', 'c', 'd', 'e']
  pairs = list(zip(table['model_1'], table['model_2']))
  assert pairs == list(itertools.combinations(order, 2))
  assert (table['n'] == EXAMPLES).all()
  whole = made['pairs'].set_index(['model_1', 'model_2'])
  for row in table.itertuples():
    same = whole.loc[row.model_1, row.model_2]
    assert row.error_inconsistency == same['error_inconsistency']
    assert row.category == same['category']
    one, two = (arrays_of(m)['features'] for m in (row.model_1, row.model_2))
    got = row.cka, row.cka_debiased
    expected = [
      pairwise.linear_cka(one, two, debiased=d) for d in (False, True)
    ]
    assert got == pytest.approx(expected, abs=6e-5)
    assert 0 < row.cca <= 1
    assert 0 < row.mutual_knn < 1
    assert (row.neighbours, row.neighbour_examples) == (10, EXAMPLES)
    assert 0 < row.directions_1 <= WIDTHS[row.model_1]


def test_the_examples_are_those_of_the_least_hashes(workdir):
  def key(i):
    return hashlib.sha256(f'similarity:0:{i}'.encode()).digest()

  order = sorted(range(EXAMPLES), key=lambda row: key(IDS[row]))
  rows, near = np.sort(order[:50]), np.sort(order[:20])
  asked = {'max_examples': 50, 'neighbour_examples': 20, 'neighbours': 3}
  table = analyse(workdir, **asked)['similarity']
  assert (table['n'] == 50).all()
  found = pairwise.measure_pairwise(
    [arrays_of(name)['features'][rows] for name in ('base', 'b')],
    [(0, 1)],
    np.searchsorted(rows, near),
    Similarity(**asked),
  )
  for measure in MEASURES:
    assert table[measure][0] == getattr(found, measure)[0].round(4)


def test_whether_an_example_is_drawn_depends_on_its_id_alone():
  asked = Similarity(max_examples=40)
  whole = chosen.choose(IDS, asked, 3)
  turned = chosen.choose(IDS[::-1], asked, 3)
  names = {IDS[i] for i in whole.rows}
  assert names == {IDS[::-1][i] for i in turned.rows}
  assert names != {IDS[i] for i in chosen.choose(IDS, asked, 4).rows}
  assert len(chosen.choose(IDS, Similarity(max_examples=0), 3).rows) == EXAMPLES


@pytest.mark.parametrize('rows_at_a_time', [1, 16, 4096])
def test_stored_features_are_rows_of_the_array(
  workdir, monkeypatch, rows_at_a_time
):
  monkeypatch.setattr(chosen, '_ROWS', rows_at_a_time)
  reader = store.Store(workdir)

  class Split:
    def read(self, model, name, rows):
      return reader.read('shapes', 'test', model, name, rows.start, rows.stop)

  rows = np.array([0, 3, 4, 5, 60, 61, 129])
  features = chosen.StoredFeatures(Split(), 'b', 12, rows)
  whole = arrays_of('b')['features'][rows]
  assert features.shape == whole.shape
  for part in (slice(0, 7), slice(1, 4), slice(2, 6), slice(3, 3)):
    np.testing.assert_array_equal(features[part], whole[part])


def test_correlations_equal_a_loop(made):
  table, correlations = made['similarity'], made['similarity_correlations']
  assert list(correlations['name']) == 2 * [
    f'error_inconsistency_vs_{m}' for m in MEASURES
  ]
  names = ['base', 'b', 'c', 'd', 'e']
  for row in correlations.itertuples():
    measure = row.name.removeprefix('error_inconsistency_vs_')
    pairs = table
    if row.scope == 'base':
      pairs = table[table['model_1'] == 'base']
    x, y = pairs['error_inconsistency'], pairs[measure]
    assert row.n == len(pairs)
    assert row.pearson == pytest.approx(scipy_stats.pearsonr(x, y)[0])
    assert row.spearman == pytest.approx(scipy_stats.spearmanr(x, y)[0])
    # Leave out one model after the other, with all of its pairs.
    left = []
    for name in names[row.scope == 'base' :]:
      kept = pairs[(pairs['model_1'] != name) & (pairs['model_2'] != name)]
      r = scipy_stats.pearsonr(kept['error_inconsistency'], kept[measure])[0]
      left.append(np.arctanh(r))
    m = len(left)
    error = np.sqrt((m - 1) * np.var(left))
    reach = scipy_stats.t.ppf(0.975, m - 1) * error
    middle = np.arctanh(row.pearson)
    assert row.pearson_lower == pytest.approx(np.tanh(middle - reach))
    assert row.pearson_upper == pytest.approx(np.tanh(middle + reach))
    if measure == 'cka':
      assert np.isnan(row.stronger)
    else:
      cka = scipy_stats.pearsonr(x, pairs['cka'])[0]
      assert row.stronger == pytest.approx(abs(row.pearson) - abs(cka))
      assert row.stronger_lower <= row.stronger <= row.stronger_upper


def test_correlations_keep_to_the_window(workdir, made):
  accuracy = {
    name: (arrays_of(name)['logits'].argmax(axis=1) == labels_of()).mean()
    for name in WIDTHS
  }
  reach = sorted(abs(accuracy[n] - accuracy['base']) for n in WIDTHS)[3]
  inside = {n for n in WIDTHS if abs(accuracy[n] - accuracy['base']) <= reach}
  assert 2 < len(inside) < len(WIDTHS)
  got = analyse(workdir, window=float(reach))
  correlations = got['similarity_correlations'].set_index(['scope', 'name'])
  counts = correlations['n'].xs('error_inconsistency_vs_cka', level='name')
  assert counts['base'] == len(inside) - 1
  assert counts['all'] == len(inside) * (len(inside) - 1) // 2
  assert got['similarity'].equals(made['similarity'])


def test_pairs_that_are_asked_for(workdir, made):
  whole = made['similarity']
  got = analyse(workdir, pairs='base')
  with_base = whole[whole['model_1'] == 'base'].reset_index(drop=True)
  assert got['similarity'].equals(with_base)
  assert set(got['similarity_correlations']['scope']) == {'base'}
  got = analyse(workdir, pairs=[['c', 'b']])
  chosen_row = whole[(whole['model_1'] == 'b') & (whole['model_2'] == 'c')]
  assert got['similarity'].equals(chosen_row.reset_index(drop=True))
  scopes = got['similarity_correlations'].groupby('scope')['n'].max()
  assert scopes.to_dict() == {'base': 4, 'all': 1}


def test_who_has_no_features_is_said(workdir, monkeypatch):
  said = []
  monkeypatch.setattr(logging, 'info', lambda text, *a: said.append(text % a))
  got = analyse(workdir, models=['b', 'without'])
  assert len(got['similarity']) == 1
  assert 'without features, in no similarity: without' in said
  got = analyse(workdir, models=['without'])
  assert any('two models with features are needed' in text for text in said)
  for name in TABLES:
    assert got[name].empty


def test_many_without_features_are_counted(tmp_path, monkeypatch):
  said = []
  monkeypatch.setattr(logging, 'info', lambda text, *a: said.append(text % a))
  alone = {'logits': arrays_of('b')['logits']}
  arrays = dict.fromkeys(('base', *'fghijkl'), alone)
  analyse(build(tmp_path, arrays))
  (line,) = (text for text in said if text.startswith('without features'))
  assert line.startswith('without features, in no similarity: 8: base, f, g')
  assert ', h, i, ...;' in line


def test_without_features_of_the_base(tmp_path):
  arrays = {name: arrays_of(name) for name in WIDTHS}
  del arrays['base']['features']
  workdir = build(tmp_path, arrays)
  got = analyse(workdir)
  assert len(got['similarity']) == 6
  correlations = got['similarity_correlations'].set_index('scope')
  assert (correlations.loc['base', 'n'] == 0).all()
  assert correlations.loc['base', 'pearson'].isna().all()
  assert (correlations.loc['all', 'n'] == 6).all()
  for name in TABLES:
    assert analyse(workdir, pairs='base')[name].empty


def test_a_model_with_nan_has_rows_without_similarities(tmp_path, monkeypatch):
  said = []
  monkeypatch.setattr(
    logging, 'warning', lambda text, *a: said.append(text % a)
  )
  arrays = {name: arrays_of(name) for name in WIDTHS}
  arrays['c']['features'][7, 1] = np.nan
  table = analyse(build(tmp_path, arrays))['similarity']
  lost = (table['model_1'] == 'c') | (table['model_2'] == 'c')
  assert lost.sum() == 4
  for measure in MEASURES:
    assert (table[measure].isna() == lost).all()
  assert table['error_inconsistency'].notna().all()
  assert [text for text in said if 'no similarities with c:' in text]


def test_what_is_not_asked_for_is_empty(workdir, made):
  got = analyse(workdir, variance=0.0, neighbours=0)
  table = got['similarity']
  assert table[['cca', 'mutual_knn']].isna().all(axis=None)
  assert (table[['directions_1', 'neighbours']] == 0).all(axis=None)
  np.testing.assert_array_equal(table['cka'], made['similarity']['cka'])


@pytest.mark.parametrize(
  ('given', 'message'),
  [
    ({'normalise': 'l1'}, "Did you mean 'l2'"),
    ({'max_examples': -1}, 'at least 0, got -1'),
    ({'variance': 1}, 'such as 0.99'),
    ({'variance': '0.9'}, 'such as 0.99'),
    ({'neighbours': 2.5}, 'must be an integer'),
    ({'neighbour_examples': True}, 'must be an integer'),
    ({'neighbors': 3}, "Did you mean 'similarity.neighbours'"),
  ],
)
def test_options_that_can_not_be(workdir, given, message):
  with pytest.raises(errors.UsageError, match=message) as caught:
    analyse(workdir, **given)
  assert '\n' not in str(caught.value)


def test_spearman_is_scipys():
  rng = np.random.default_rng(0)
  x, y = rng.integers(0, 6, (2, 40)).astype(float)
  expected = scipy_stats.spearmanr(x, y)[0]
  assert stats.spearman(x, y) == pytest.approx(expected)
  assert np.isnan(stats.spearman(np.ones(4), y[:4]))
  assert np.isnan(stats.spearman(np.empty(0), np.empty(0)))
  got, lower, upper = stats.jackknife_spearman(x, y, np.arange(40)[:, None])
  assert got == pytest.approx(expected)
  assert -1 <= lower < got < upper <= 1

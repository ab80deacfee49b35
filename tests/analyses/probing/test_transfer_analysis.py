"""The tables of transfer, from a store with a second data set."""

import itertools
import logging as python_logging

import numpy as np
import pytest
from sklearn import linear_model

from overlap import store
from overlap.analyses import run
from overlap.analyses.probing import average_precision, transfer_analysis
from overlap.core import errors

MODELS = ('base', 'reinit', 'wide', 'other')
SPLITS = {
  'transfer_train': 200, 'transfer_heldout': 80, 'transfer_test': 120,
}  # fmt: skip
GROUPS = {'low': ('0-1',), 'ends': ('0', '3')}


def write_features(workdir, dataset, split, model, labels, rng):
  """'other' sees other classes than 'base' does."""
  width = 20 if model == 'wide' else 8
  seen = np.eye(4)[labels][:, 2:] if model == 'other' else np.eye(4)[labels]
  mixed = np.random.default_rng(width).normal(size=(seen.shape[1], width))
  noise = rng.normal(size=(len(labels), width))
  features = (seen @ mixed + 1.2 * noise + 3).astype(np.float32)
  writer = store.RecordWriter(
    workdir, dataset=dataset, split=split, model=model
  )
  with writer:
    writer.create('features', shape=features.shape, dtype=features.dtype)
    writer.write('features', 0, features)
    writer.finish({'source': 'test'})


def write_transfer(workdir, dataset, several, models=MODELS):
  rng = np.random.default_rng(5)
  for split, count in SPLITS.items():
    labels = rng.integers(0, 4, count)
    targets = None
    if several:
      targets = np.eye(4, dtype=np.int8)[labels]
      targets[rng.random(targets.shape) < 0.1] = 1
      targets[rng.random(targets.shape) < 0.1] = -1
    store.write_examples(
      workdir, dataset=dataset, split=split,
      ids=[f'{split}/{i}' for i in range(count)], labels=labels,
      class_names=[str(c) for c in range(4)], targets=targets,
    )  # fmt: skip
    for model in models:
      write_features(workdir, dataset, split, model, labels, rng)


@pytest.fixture(scope='module')
def stored(workdir):
  write_transfer(workdir, 'single', several=False)
  write_transfer(workdir, 'several', several=True)
  write_transfer(workdir, 'few', several=False, models=('base', 'other'))
  return workdir


def analyse(workdir, dataset='single', resamples=50, **options):
  settings = {
    'dataset': dataset, 'strengths': 3, 'weakest': 1e-2, 'permutations': 50,
  }  # fmt: skip
  return run.analyse(
    workdir=workdir, dataset='toy', split='test', base='base',
    options={
      'tables': transfer_analysis.TABLES, 'resamples': resamples,
      'transfer': settings | options,
    },
  )  # fmt: skip


def read(workdir, dataset, models, split):
  """Features side by side, of length 1 each, as they are normalised."""
  reader, parts = store.Store(workdir), []
  for model in models:
    raw = {
      s: reader.read(dataset, s, model, 'features')
      for s in (split, 'transfer_train')
    }
    unit = {
      s: x / np.linalg.norm(x, axis=1, keepdims=True) for s, x in raw.items()
    }
    train = unit['transfer_train']
    parts.append((unit[split] - train.mean(axis=0)) / train.std(axis=0))
  return np.concatenate(parts, axis=1)


def theirs(workdir, dataset, models, targets, l2):
  """scikit-learn's probe of one label: its scores on the test split."""
  fitted = ('transfer_train', 'transfer_heldout')
  features = np.concatenate([read(workdir, dataset, models, s) for s in fitted])
  probe = linear_model.LogisticRegression(
    C=1 / (len(targets) * l2), tol=1e-8, max_iter=10000
  ).fit(features, targets)
  test = read(workdir, dataset, models, 'transfer_test')
  if probe.coef_.shape[0] == 1:
    return probe.decision_function(test)
  return probe.predict(test)


def fitted_labels(workdir, dataset):
  examples = [
    store.Store(workdir).examples(dataset, split)
    for split in ('transfer_train', 'transfer_heldout')
  ]
  if examples[0].targets is None:
    return np.concatenate([e.labels for e in examples])
  return np.concatenate([e.targets for e in examples])


@pytest.mark.parametrize('dataset', ['single', 'several'])
def test_several_labels_as_scikit_learn_has_them(stored, dataset):
  made = analyse(stored, dataset, groups=GROUPS)
  table, classes = made['transfer'], made['transfer_classes']
  # One of each category: there is no model of FRAMEWORK.
  assert table['model_1'].tolist()[:3] == ['base', 'wide', 'other']
  assert list(zip(table['model_1'], table['model_2']))[3:] == list(
    itertools.combinations(['base', 'wide', 'other'], 2)
  )
  assert table['metric'].eq('mAP').all()
  assert table['labels'].eq(6).all()
  assert table['converged'].all()
  assert table['width'].tolist() == [8, 20, 8, 28, 16, 28]
  assert classes['kind'].tolist() == (4 * ['class'] + 2 * ['group']) * 6
  given = fitted_labels(stored, dataset)
  examples = store.Store(stored).examples(dataset, 'transfer_test')
  test = examples.targets
  if test is None:
    given, test = np.eye(4)[given], np.eye(4, dtype=int)[examples.labels]
  for models in (('base',), ('base', 'other')):
    own = classes[classes['model_1'].eq('base')]
    own = own[own['model_2'].eq(models[1] if len(models) > 1 else '')]
    for k, row in enumerate(own.head(4).to_dict('records')):
      scores = theirs(stored, dataset, models, given[:, k] == 1, row['l2'])
      expected = average_precision.average_precision(scores, test[:, k])
      assert row['score'] == pytest.approx(expected, abs=0.01)
      assert row['positives'] == (test[:, k] == 1).sum()
      assert row['left_out'] == (test[:, k] == -1).sum()
    mean = own['score'].mean()
    where = table['model_1'].eq('base') & table['model_2'].eq(
      own['model_2'].iloc[0]
    )
    assert table.loc[where, 'score'].item() == pytest.approx(mean)


def test_gains(stored):
  table = analyse(stored, 'several')['transfer']
  alone = table[table['model_2'] == ''].set_index('model_1')['score']
  pairs = table[table['model_2'] != '']
  for row in pairs.to_dict('records'):
    both = alone[[row['model_1'], row['model_2']]]
    assert row['best_single'] == both.idxmax()
    assert row['gain'] == pytest.approx(row['score'] - both.max())
    assert row['gain_lower'] <= row['gain_upper']
    assert row['score_lower'] < row['score'] < row['score_upper']
    assert 0 < row['p_value'] <= row['p_value_holm'] <= 1
    assert 0 < row['error_inconsistency'] < 1
  singles = table[table['model_2'] == '']
  assert (
    singles[['gain', 'p_value', 'error_inconsistency']].isna().to_numpy().all()
  )


@pytest.mark.slow
def test_one_label_is_accuracy(stored):
  made = analyse(stored, models=('other', 'base'))
  table = made['transfer']
  assert table['metric'].eq('accuracy').all()
  assert table['model_1'].tolist() == ['base', 'other', 'base']
  l2 = made['transfer_classes']['l2'].iloc[0]
  predicted = theirs(
    stored, 'single', ('base',), fitted_labels(stored, 'single'), l2
  )
  truth = store.Store(stored).examples('single', 'transfer_test').labels
  right = table['score'].iloc[0] * len(truth)
  assert abs(right - (predicted == truth).sum()) <= 1
  own = made['transfer_classes'].head(4)
  assert own['metric'].eq('recall').all()
  recalled = (own['score'] * own['positives']).sum() / len(truth)
  assert recalled == pytest.approx(table['score'].iloc[0])


def test_the_same_again(stored):
  one, two = (analyse(stored, groups=GROUPS) for _ in range(2))
  for name, table in one.items():
    assert table.equals(two[name])
  other = dict(reversed(GROUPS.items()))
  assert analyse(stored, groups=other)['transfer'].equals(one['transfer'])


def test_models_without_features(stored, caplog):
  with caplog.at_level(python_logging.INFO):
    table = analyse(stored, 'few', resamples=0, permutations=0)['transfer']
  assert 'without features of few: reinit, wide' in caplog.text
  assert table['model_1'].tolist() == ['base', 'other', 'base']
  assert table[['score_lower', 'gain_upper']].isna().to_numpy().all()


@pytest.mark.parametrize(
  ('dataset', 'text'), [('', 'another data set'), ('voc', 'voc/transfer_train')]
)
def test_without_such_data(stored, caplog, dataset, text):
  with caplog.at_level(python_logging.INFO):
    made = analyse(stored, dataset)
  assert all(table.empty for table in made.values())
  assert f'no features of {text} in the store: no transfer' in caplog.text


def test_splits_must_agree(stored):
  store.write_examples(
    stored, dataset='single', split='odd', ids=['a'], labels=[0],
    class_names=['only'],
  )  # fmt: skip
  with pytest.raises(errors.DataError, match='the same classes'):
    analyse(stored, test='odd')


@pytest.mark.parametrize(
  ('option', 'text'),
  [
    ({'models': ('bass',)}, "Did you mean 'base'"),
    ({'models': ('base', 'base')}, 'transfer.models'),
    ({'models': 'base'}, 'transfer.models'),
    ({'permutations': -1}, 'transfer.permutations'),
    ({'strengths': 0}, 'transfer.strengths'),
    ({'weakest': 0}, 'transfer.weakest'),
    ({'groups': {'a': ()}}, 'transfer.groups.a'),
    ({'groups': {'a': (7,)}}, 'transfer.groups.a'),
    ({'groups': {'1': ('2',)}}, "got '1'"),
  ],
)
def test_faulty_options(stored, option, text):
  with pytest.raises(errors.UsageError, match=text):
    analyse(stored, **option)

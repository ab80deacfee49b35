"""Tests of what is shown of a pair that is picked out, against plain loops."""

import json

import numpy as np
import pytest

from overlap import store
from overlap.analyses import closeups, run
from overlap.analyses.specialisation import angle
from overlap.tables import table_io

EXAMPLES, CLASSES = 90, 5
IDS = [f'test/{i:03d}' for i in range(EXAMPLES)]
NAMES = ['a', 'b', 'c', 'd', 'é, "e"']
MODELS = ['base', 'hard', 'other']
LABELS = np.random.default_rng(0).integers(0, CLASSES, EXAMPLES)


def build(workdir):
  store.write_examples(
    workdir, dataset='d', split='test', ids=IDS, labels=LABELS,
    class_names=NAMES,
  )  # fmt: skip
  rng = np.random.default_rng(1)
  for name in MODELS:
    drawn = 2 * np.eye(CLASSES)[LABELS] + rng.normal(size=(EXAMPLES, CLASSES))
    arrays = {'logits': drawn.astype(np.float32)}
    if name == 'hard':
      arrays = {'predicted': drawn.argmax(axis=1).astype(np.int32)}
    with store.RecordWriter(
      workdir, dataset='d', split='test', model=name
    ) as writer:
      for key, value in arrays.items():
        writer.create(key, shape=value.shape, dtype=value.dtype)
        writer.write(key, 0, value)
      writer.finish({'category': 'REINIT'})


@pytest.fixture(scope='module')
def made(tmp_path_factory):
  workdir = tmp_path_factory.mktemp('store')
  build(workdir)
  asked = ('models', 'pairs', 'classes', 'theta', 'pair_closeups', 'contested')
  return run.analyse(
    workdir=workdir, dataset='d', split='test', base='base',
    options={
      'resamples': 0, 'tables': asked,
      'specialisation': {'pairs': 'base:other', 'bins': 6},
    },
  )  # fmt: skip


def test_a_row_for_each_pair(made):
  rows, pairs = made['pair_closeups'], made['pairs']
  keys = ['model_1', 'model_2', 'category']
  assert rows[keys].to_dict() == pairs[keys].to_dict()
  assert (rows['bins'] == 6).all()


def test_theta_is_that_of_the_table_of_theta(made):
  theta = made['theta']
  theta = theta[(theta['measure'] == 'theta') & (theta['group'] == '')]
  theta = theta[theta['view'] == 'panel']
  row = made['pair_closeups'].set_index(['model_1', 'model_2']).loc[
    ('base', 'other')
  ]  # fmt: skip
  for side in ('only_1', 'only_2'):
    counts = theta.loc[theta['outcome'] == side, 'count'].tolist()
    assert json.loads(row[f'theta_{side}']) == counts
    assert sum(counts) > 0


def test_models_without_confidences_have_no_theta(made):
  rows = made['pair_closeups']
  hard = (rows['model_1'] == 'hard') | (rows['model_2'] == 'hard')
  assert hard.sum() == 2
  assert (rows.loc[hard, ['theta_only_1', 'theta_only_2']] == '').all(axis=None)
  assert (rows.loc[~hard, 'theta_only_1'] != '').all()


def test_classes_are_those_of_the_table_of_classes(made):
  classes = made['classes']
  for row in made['pair_closeups'].to_dict('records'):
    of_pair = classes[
      (classes['model_1'] == row['model_1'])
      & (classes['model_2'] == row['model_2'])
    ]
    if of_pair.empty:  # Not with the base.
      continue
    lead = of_pair['only_1'] - of_pair['only_2']
    for side, ahead in (('classes_1', lead), ('classes_2', -lead)):
      wanted = of_pair[ahead > 0].assign(ahead=-ahead[ahead > 0])
      wanted = wanted.sort_values(['ahead', 'label'])
      columns = ['class_name', 'only_1', 'only_2', 'n']
      got = json.loads(row[side])
      assert [entry[:4] for entry in got] == wanted[columns].values.tolist()
      assert [entry[4] for entry in got] == pytest.approx(
        wanted['q'].tolist(), abs=5.1e-5
      )


def test_classes_are_cut_short_and_ties_keep_their_order():
  only_1 = np.array([3, 0, 9, 3, 4, 5, 6, 0])
  only_2 = np.array([0, 2, 0, 0, 4, 1, 1, 0])
  one, two = closeups.classes_won(only_1, only_2, np.full(8, 10))
  assert [row[0] for row in one] == [2, 6, 5, 0, 3]
  assert [row[:4] for row in two] == [[1, 0, 2, 10]]


def test_theta_counts_leave_out_what_has_no_angle():
  theta = np.array([-0.7, 0.7, 0.1, np.nan])
  outcomes = angle.outcome(
    np.array([True, True, False, True]), np.array([False, False, True, False])
  )
  assert closeups.theta_counts(theta, outcomes, 2) == ([1, 1], [0, 1])


@pytest.mark.parametrize('examples', [0, 1, 40])
def test_contested_are_split_the_most_evenly(examples, monkeypatch):
  monkeypatch.setattr(closeups, 'EXAMPLES', 10)
  correct = np.random.default_rng(2).random((5, examples)) < 0.8
  ids = [str(i) for i in range(examples)]
  got = closeups.contested(correct, ids, seed=0)
  right = correct.sum(axis=0)
  split = np.minimum(right, 5 - right)
  assert split[got].tolist() == sorted(split[split > 0], reverse=True)[:10]
  # Neither the order of the examples nor that of the models matters.
  turned = closeups.contested(correct[::-1, ::-1], ids[::-1], seed=0)
  assert (examples - 1 - turned).tolist() == got.tolist()


def test_contested_say_who_is_right(made):
  rows = made['contested']
  assert rows['id'].is_unique
  assert len(rows) > 5
  place = [IDS.index(i) for i in rows['id']]
  assert rows['label'].tolist() == LABELS[place].tolist()
  assert rows['class_name'].tolist() == [NAMES[c] for c in rows['label']]
  pairs = made['pairs'].set_index(['model_1', 'model_2'])
  models = made['models']['model'].tolist()
  for i, one in enumerate(models):
    for j, two in enumerate(models[i + 1 :], i + 1):
      alone = rows['right'].map(lambda r, i=i, j=j: r[i] == 'y' != r[j])
      assert alone.sum() <= pairs.loc[(one, two), 'only_1']
  assert rows['right'].map(lambda r: r.count('y')).equals(rows['models_right'])


def test_too_many_pairs_leave_those_with_the_base(tmp_path, monkeypatch):
  monkeypatch.setattr(closeups, 'MAX_PAIRS', 2)
  build(tmp_path)
  made = run.analyse(
    workdir=tmp_path, dataset='d', split='test', base='other',
    options={'resamples': 0, 'tables': ('pair_closeups',)},
  )  # fmt: skip
  assert made['pair_closeups']['model_1'].tolist() == ['other', 'other']


def test_written_and_read_back(made, tmp_path):
  for name in ('pair_closeups', 'contested'):
    table_io.write_table(tmp_path, name, made[name])
    assert table_io.read_table(tmp_path, name).equals(made[name])

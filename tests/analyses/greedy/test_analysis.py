"""The tables of larger ensembles, against a plain loop over the definition."""

import itertools
import json

import numpy as np
import pytest
from scipy import stats as scipy_stats

from overlap import store
from overlap.analyses import calibration, run
from overlap.core import errors

CLASSES, EXAMPLES = 5, 240
IDS = [f'{i:04d}' for i in range(EXAMPLES)]
NOISE = {'base': 1.0, 'b': 1.1, 'c': 1.3, 'd': 1.5, 'e': 1.2, 'f': 1.9}
TABLES = ['models', 'greedy', 'greedy_best', 'first_additions', 'subsets']
LEVEL = 0.95


def labels_of():
  return np.random.default_rng(0).integers(0, CLASSES, EXAMPLES)


def logits_of(name):
  rng = np.random.default_rng(sum(name.encode()))
  shared = np.random.default_rng(1).normal(size=(EXAMPLES, CLASSES))
  clean = 2 * np.eye(CLASSES)[labels_of()] + shared
  noise = NOISE[name] * rng.normal(size=clean.shape)
  return (2 * (clean + noise)).astype(np.float32)


@pytest.fixture(scope='module')
def workdir(tmp_path_factory):
  path = tmp_path_factory.mktemp('store')
  store.write_examples(
    path, dataset='shapes', split='test', ids=IDS, labels=labels_of(),
    class_names=[f'class {c}' for c in range(CLASSES)],
  )  # fmt: skip
  predicted = np.where(np.arange(EXAMPLES) % 2, labels_of(), 0)
  arrays = {name: {'logits': logits_of(name)} for name in NOISE}
  arrays['hard'] = {'predicted': predicted.astype(np.int32)}
  for model, held in arrays.items():
    with store.RecordWriter(
      path, dataset='shapes', split='test', model=model
    ) as writer:
      for name, value in held.items():
        writer.create(name, shape=value.shape, dtype=value.dtype)
        writer.write(name, 0, value)
      writer.finish({'category': 'ARCH'})
  return path


def analyse(workdir, tables=TABLES, base='base', **greedy):
  options = {'tables': tables, 'greedy': greedy, 'resamples': 0}
  return run.analyse(
    workdir=workdir, dataset='shapes', split='test', base=base, options=options
  )


@pytest.fixture(scope='module')
def made(workdir):
  return analyse(workdir, max_members=4, bound=1.0)


@pytest.fixture(scope='module')
def calibrated():
  folds = calibration.folds_from_ids(IDS)
  result = {}
  for name in NOISE:
    fitted = calibration.cross_fit(logits_of(name), labels_of(), folds)
    temperatures = fitted.per_example.astype(np.float32)[:, np.newaxis]
    result[name] = logits_of(name) / temperatures
  return result


def right(calibrated, members):
  total = calibrated[members[0]]
  for member in members[1:]:
    total = total + calibrated[member]
  return total.argmax(axis=1) == labels_of()


def naive_path(calibrated, start, pool, chosen_on, max_members):
  members = [start]
  while len(members) < max_members:
    options = sorted(set(pool) - set(members))
    if not options:
      break
    counts = [
      right(calibrated, [*members, name])[chosen_on].sum() for name in options
    ]
    members.append(options[int(np.argmax(counts))])
  return members


def masks():
  halves = calibration.folds_from_ids(IDS, 2)
  everything = np.ones(EXAMPLES, bool)
  return {
    ('cross_fitted', '1'): (halves == 1, halves == 0),
    ('cross_fitted', '2'): (halves == 0, halves == 1),
    ('optimistic', 'all'): (everything, everything),
  }


def rows_of(table, start, protocol, half):
  chosen = (table['protocol'] == protocol) & (table['half'] == half)
  if 'start' in table:
    chosen &= table['start'] == start
  return table[chosen].to_dict('records')


def test_starts_are_the_base_and_the_most_accurate(made):
  models = made['models'].set_index('model')['accuracy']
  starts = list(dict.fromkeys(made['greedy']['start']))
  others = sorted(set(NOISE) - {'base'}, key=lambda m: (-models[m], m))
  assert starts == ['base', *others[:4]]


@pytest.mark.parametrize('start', ['base', 'b'])
def test_paths(made, calibrated, start):
  for (protocol, half), (chosen_on, scored_on) in masks().items():
    expected = naive_path(calibrated, start, NOISE, chosen_on, 4)
    rows = rows_of(made['greedy'], start, protocol, half)
    assert [row['step'] for row in rows] == [0, 1, 2, 3]
    assert json.loads(rows[-1]['members']) == expected
    assert [row['added'] for row in rows[1:]] == expected[1:]
    selected = []
    for row in rows:
      members = expected[: row['size']]
      mine = right(calibrated, members)
      assert row['correct'] == mine[scored_on].sum()
      assert row['n'] == scored_on.sum()
      assert row['accuracy'] == mine[scored_on].mean()
      selected.append(mine[chosen_on].mean())
      assert row['selection_accuracy'] == selected[-1]
      if row['step']:
        before = right(calibrated, members[:-1])[scored_on]
        after = mine[scored_on]
        gained, lost = (after & ~before).sum(), (before & ~after).sum()
        assert (row['gained'], row['lost']) == (gained, lost)
        difference = after.mean() - before.mean()
        assert row['improvement'] == pytest.approx(difference)
        assert (
          row['improvement_lower']
          < row['improvement']
          < row['improvement_upper']
        )
        if gained + lost:
          p = scipy_stats.binomtest(int(gained), int(gained + lost)).pvalue
          assert row['mcnemar_p'] == pytest.approx(p)
    best = [row['best_prefix'] for row in rows]
    assert best == [i == int(np.argmax(selected)) for i in range(4)]


def test_both_halves_together(made, calibrated):
  halves = masks()
  paths = {
    half: naive_path(
      calibrated, 'base', NOISE, halves['cross_fitted', half][0], 4
    )
    for half in ('1', '2')
  }
  rows = rows_of(made['greedy'], 'base', 'cross_fitted', 'both')
  for row in rows:
    pieces = [
      right(calibrated, paths[half][: row['size']])[
        halves['cross_fitted', half][1]
      ]
      for half in ('1', '2')
    ]
    assert row['correct'] == np.concatenate(pieces).sum()
    assert row['n'] == EXAMPLES
    same = set(paths['1'][: row['size']]) == set(paths['2'][: row['size']])
    assert bool(row['members']) == same


def test_best_prefixes(made):
  for row in made['greedy_best'].to_dict('records'):
    steps = rows_of(
      made['greedy'], row['start'], row['protocol'], row['half']
    )  # fmt: skip
    if row['half'] == 'both':
      halves = [
        one
        for half in ('1', '2')
        for one in rows_of(
          made['greedy_best'], row['start'], 'cross_fitted', half
        )
      ]
      assert row['correct'] == sum(one['correct'] for one in halves)
      assert row['gained'] == sum(one['gained'] for one in halves)
      continue
    step = next(step for step in steps if step['best_prefix'])
    for name in ('members', 'size', 'correct', 'accuracy', 'accuracy_lower'):
      assert row[name] == step[name]
    assert row['start_accuracy'] == steps[0]['accuracy']
    assert row['improvement'] == pytest.approx(
      step['accuracy'] - steps[0]['accuracy']
    )


def test_first_additions(made, calibrated, workdir):
  pairs = analyse(workdir, tables=['pairs'])['pairs']
  together = {
    frozenset((row['model_1'], row['model_2'])): row['ensemble_accuracy']
    for row in pairs.to_dict('records')
  }
  table = made['first_additions']
  for start, rows in table.groupby('start'):
    assert set(rows['added']) == set(NOISE) - {start}
    assert list(rows['rank']) == list(range(1, len(NOISE)))
    assert rows['correct'].is_monotonic_decreasing
    for row in rows.to_dict('records'):
      mine = right(calibrated, [start, row['added']])
      assert row['correct'] == mine.sum()
      assert row['accuracy'] == together[frozenset((start, row['added']))]
      assert row['mcnemar_p_holm'] >= row['mcnemar_p']


def test_subsets(made, calibrated):
  for (protocol, half), (chosen_on, scored_on) in masks().items():
    rows = rows_of(made['subsets'], None, protocol, half)
    assert [row['size'] for row in rows] == [1, 2, 3, 4]
    members: tuple = ()
    for row in rows:
      options = list(itertools.combinations(sorted(NOISE), row['size']))
      assert row['subsets'] == len(options)
      mine = {option: right(calibrated, option) for option in options}
      best = max(options, key=lambda o: mine[o][chosen_on].sum())
      assert json.loads(row['members']) == list(best)
      assert row['correct'] == mine[best][scored_on].sum()
      assert row['selection_accuracy'] == mine[best][chosen_on].mean()
      grown = [o for o in options if set(members) < set(o)]
      members = max(grown, key=lambda o: mine[o][chosen_on].sum())
      assert json.loads(row['greedy_members']) == list(members)
      assert row['greedy_correct'] == mine[members][scored_on].sum()
      assert row['selection_accuracy'] >= row['greedy_selection_accuracy']


def test_lower_accuracy_members_alone(workdir):
  made = analyse(workdir)
  accuracy = made['models'].set_index('model')['accuracy']
  for row in made['first_additions'].to_dict('records'):
    assert accuracy[row['added']] < accuracy[row['start']]
  made = analyse(workdir, bound=float(accuracy['c']), starts=['base'])
  allowed = {m for m in NOISE if accuracy[m] <= accuracy['c']} - {'base'}
  assert set(made['first_additions']['added']) == allowed
  made = analyse(workdir, bound=-0.02, starts=['base'])
  allowed = {m for m in NOISE if accuracy[m] <= accuracy['base'] - 0.02}
  assert set(made['first_additions']['added']) == allowed


def test_starts_and_pool_are_as_told(workdir):
  made = analyse(
    workdir, starts=['f'], pool=['c', 'd'], bound=1.0,
    protocols=['optimistic'], candidates=['d', 'b'],
  )  # fmt: skip
  assert json.loads(made['greedy'].iloc[-1]['members'])[0] == 'f'
  assert set(made['greedy']['added']) == {'', 'c', 'd'}
  assert set(made['greedy']['protocol']) == {'optimistic'}
  assert json.loads(made['subsets'].iloc[-1]['members']) == ['b', 'd']


def test_repetition(workdir, calibrated):
  made = analyse(
    workdir, starts=['f'], pool=['f', 'd'], bound=1.0, repetition=True,
    protocols=['optimistic'], max_members=5,
  )  # fmt: skip
  members = ['f']
  while len(members) < 5:
    counts = [right(calibrated, [*members, name]).sum() for name in ('d', 'f')]
    members.append(('d', 'f')[int(np.argmax(counts))])
  assert json.loads(made['greedy'].iloc[-1]['members']) == members


def test_probabilities(workdir, calibrated):
  made = analyse(
    workdir, tables=['pairs', 'first_additions'], method='probs', bound=1.0
  )
  together = {
    (row['model_1'], row['model_2']): row['ensemble_accuracy_probs']
    for row in made['pairs'].to_dict('records')
  }
  table = made['first_additions']
  for row in table[table['start'] == 'base'].to_dict('records'):
    assert row['accuracy'] == together['base', row['added']]


def test_tables_have_no_rows_without_logits(workdir):
  made = run.analyse(
    workdir=workdir, dataset='shapes', split='test', base='hard',
    models=['hard'], options={'tables': TABLES, 'resamples': 0},
  )  # fmt: skip
  assert all(made[name].empty for name in TABLES[1:])


def test_one_model_has_itself(workdir):
  made = run.analyse(
    workdir=workdir, dataset='shapes', split='test', base='base',
    models=['base'], options={'tables': TABLES, 'resamples': 0},
  )  # fmt: skip
  assert made['greedy']['step'].tolist() == [0] * 4
  assert made['greedy_best']['improvement'].tolist() == [0] * 4
  assert made['first_additions'].empty
  assert made['subsets']['size'].tolist() == [1] * 4


def test_a_base_of_hard_labels_is_no_start(workdir):
  made = analyse(workdir, base='hard')
  assert 'hard' not in set(made['greedy']['start'])


@pytest.mark.parametrize(
  ('given', 'message'),
  [
    ({'starts': ['bsae']}, "Did you mean 'base'"),
    ({'pool': ['hard']}, 'must have logits'),
    ({'starts': 'base'}, 'must be a list'),
    ({'starts': ['b', 'b']}, 'once'),
    ({'bound': 1.5}, r'within \(0, 1\]'),
    ({'bound': True}, r'within \(0, 1\]'),
    ({'max_members': 0}, 'at least 1'),
    ({'repetition': 1}, 'True or False'),
    ({'method': 'prob'}, "Did you mean 'probs'"),
    ({'protocols': []}, 'must be a list'),
    ({'protocols': ['honest']}, 'cross_fitted'),
    ({'candidates': [f'm{i}' for i in range(20)]}, 'name at most 12'),
    ({'start': []}, "Did you mean 'greedy.starts'"),
  ],
)
def test_what_can_not_be_is_told(workdir, given, message):
  with pytest.raises(errors.UsageError, match=message) as caught:
    analyse(workdir, **given)
  assert '\n' not in str(caught.value)


def test_again_gives_the_same(workdir, made):
  again = analyse(workdir, max_members=4, bound=1.0)
  for name in TABLES:
    assert made[name].equals(again[name])

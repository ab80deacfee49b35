"""Ensembles within budgets of operations, against loops over the definition."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest

from overlap import store
from overlap.analyses import calibration, run
from overlap.analyses.greedy import budgets

CLASSES, EXAMPLES = 4, 200
IDS = [f'{i:04d}' for i in range(EXAMPLES)]
LABELS = np.random.default_rng(0).integers(0, CLASSES, EXAMPLES)
# Operations, and how wide each model's noise is: what helps most costs most.
MODELS = {
  'base': (100, 1.0), 'cheap': (30, 1.9), 'like': (100, 1.2),
  'dear': (350, 1.05), 'unknown': (None, 1.1),
}  # fmt: skip
FLOPS = {name: flops for name, (flops, _) in MODELS.items()}
TABLES = ['costs', 'greedy', 'greedy_budgets']
NAN = float('nan')


def logits_of(name):
  rng = np.random.default_rng(sum(name.encode()))
  noise = MODELS[name][1] * rng.normal(size=(EXAMPLES, CLASSES))
  return (4 * (np.eye(CLASSES)[LABELS] + noise)).astype(np.float32)


@pytest.fixture(scope='module')
def workdir(tmp_path_factory):
  path = tmp_path_factory.mktemp('store')
  store.write_examples(
    path, dataset='shapes', split='test', ids=IDS, labels=LABELS,
    class_names=[f'class {c}' for c in range(CLASSES)],
  )  # fmt: skip
  for name, flops in FLOPS.items():
    with store.RecordWriter(
      path, dataset='shapes', split='test', model=name
    ) as writer:
      writer.create('logits', shape=(EXAMPLES, CLASSES), dtype=np.float32)
      writer.write('logits', 0, logits_of(name))
      costs = {'parameters': 7, 'flops': flops}
      writer.finish({'costs': costs} if flops else {})
  return path


def analyse(workdir, tables=TABLES, base='base', **greedy):
  options = {'tables': tables, 'greedy': greedy, 'resamples': 0}
  return run.analyse(
    workdir=workdir, dataset='shapes', split='test', base=base, options=options
  )


@pytest.fixture(scope='module')
def made(workdir):
  return analyse(workdir, bound=1.0, max_members=4, starts=('base', 'unknown'))


@pytest.fixture(scope='module')
def scores():
  folds = calibration.folds_from_ids(IDS)
  return {
    name: logits_of(name)
    / calibration.cross_fit(logits_of(name), LABELS, folds).per_example.astype(
      np.float32
    )[:, np.newaxis]
    for name in MODELS
  }


def right(scores, members):
  return sum(scores[m] for m in members).argmax(axis=1) == LABELS


def naive(scores, budget, chosen_on):
  """The best ensemble of each greedy path up to this budget."""
  best = ['base']
  for limit in (b for b in budgets.BUDGETS if b <= budget):
    members = ['base']
    while len(members) < 4:
      spent = sum(FLOPS[m] for m in members)
      able = sorted(
        m for m in MODELS
        if m not in members and FLOPS[m] and spent + FLOPS[m] <= 100 * limit
      )  # fmt: skip
      if not able:
        break
      counts = [
        right(scores, [*members, m])[chosen_on].sum() for m in able
      ]  # fmt: skip
      members.append(able[int(np.argmax(counts))])
      if (
        right(scores, members)[chosen_on].sum()
        > right(scores, best)[chosen_on].sum()
      ):
        best = list(members)
  return best


def test_each_budget_has_its_best_ensemble(made, scores):
  table, halves = made['greedy_budgets'], calibration.folds_from_ids(IDS, 2)
  # From where the cheapest fits to where all three others do: 5.8 times.
  offered = [1.5, 2.0, 3.0, 4.0, 6.0]
  assert table['budget'].drop_duplicates().tolist() == offered
  assert set(table['start']) == {'base'}
  every = np.ones(EXAMPLES, bool)
  parts = {
    '1': (halves == 1, halves == 0), '2': (halves == 0, halves == 1),
    'all': (every, every),
  }  # fmt: skip
  found = {}
  for (half, on), budget in itertools.product(parts.items(), offered):
    row = table[(table['half'] == half) & (table['budget'] == budget)].iloc[0]
    members = naive(scores, budget, on[0])
    found[half, budget] = members
    assert json.loads(row['members']) == members
    assert row['flops'] == sum(FLOPS[m] for m in members) <= 100 * budget
    assert row['size'] == len(members)
    assert row['correct'] == right(scores, members)[on[1]].sum()
    assert row['selection_accuracy'] == right(scores, members)[on[0]].mean()
    gain = right(scores, members)[on[1]].mean() - row['start_accuracy']
    assert row['improvement'] == pytest.approx(gain)
  # Otherwise the above would say little.
  assert len({tuple(members) for members in found.values()}) > 3


def test_both_halves_together(made):
  table = made['greedy_budgets'].set_index(['half', 'budget'])
  for budget, row in table.loc['both'].iterrows():
    one, two = (table.loc[(half, budget)] for half in '12')
    assert row['correct'] == one['correct'] + two['correct']
    assert row['n'] == EXAMPLES
    same = set(json.loads(one['members'])) == set(json.loads(two['members']))
    assert (row['members'] != '') == same
    assert row['flops'] == one['flops'] if same else pd.isna(row['flops'])


def test_the_other_tables_are_as_without_budgets(made, workdir):
  alone = analyse(
    workdir, ['greedy'], bound=1.0, max_members=4, starts=('base', 'unknown')
  )
  assert made['greedy'].equals(alone['greedy'])


def test_costs_are_those_of_the_records(made):
  costs = made['costs'].set_index('model')
  known = costs.drop(index='unknown')
  assert known['flops'].to_dict() == {
    name: flops for name, flops in FLOPS.items() if flops
  }
  assert (known['parameters'] == 7).all()
  assert costs.loc['unknown'].isna().all()


def test_a_model_that_is_added_again_costs_nothing(workdir):
  table = analyse(
    workdir, bound=1.0, max_members=6, starts=('base',), repetition=True,
    pool=('base', 'cheap'), protocols=('optimistic',),
  )['greedy_budgets']  # fmt: skip
  assert table['budget'].tolist() == [1.5]
  assert table['flops'].iloc[0] in (100, 130)


@pytest.mark.parametrize(
  ('flops', 'most', 'expected'),
  [
    ([1, 1, 1, 1], 4, [2, 3, 4]),
    ([1, 1, 1, 1], 2, [2]),
    ([1, 1, 1, 1], 1, []),
    ([1, NAN, NAN, 0.1], 4, [1.25]),
    ([NAN, 1, 1, 1], 4, []),
    ([1, NAN, NAN, NAN], 4, []),
    # Beyond all budgets, wholly or in part.
    ([1, 100, 100, 100], 4, []),
    ([1, 10, 100, 100], 4, [12, 16, 32]),
  ],
)
def test_budgets_that_make_a_difference(flops, most, expected):
  pool = np.array([False, True, True, True])
  got = budgets.offered(np.array(flops, float), 0, pool, most)
  assert got == expected
  assert budgets.offered(np.array(flops, float), 0, ~pool, most) == []

"""Tests of overlap.report.recommender against rows written by hand."""

import json

import numpy as np
import pandas as pd
import pytest

from overlap.report import recommender


def step(start, half, more, accuracy, selected, members=None, added=''):
  gain = accuracy - 0.8
  return {
    'start': start, 'start_category': 'ARCH', 'half': half, 'step': more,
    'size': more + 1, 'added': added, 'accuracy': accuracy,
    'accuracy_lower': accuracy - 0.01, 'accuracy_upper': accuracy + 0.01,
    'members': '' if members is None else json.dumps(members),
    'improvement_over_start': gain if more else float('nan'),
    'improvement_over_start_lower': gain - 0.02 if more else float('nan'),
    'improvement_over_start_upper': gain + 0.02 if more else float('nan'),
    'selection_accuracy': selected,
  }  # fmt: skip


@pytest.fixture
def study():
  """From a, b helps on other examples, c only on those of the choice."""
  honest = [
    step('a', 'both', 0, 0.8, 0.8, ['a']),
    step('a', 'both', 1, 0.85, 0.86),
    step('a', 'both', 2, 0.84, 0.88),
    step('a', '1', 1, 0.99, 0.99, ['a', 'c']),
  ]
  optimistic = [
    step('a', 'all', 0, 0.8, 0.8, ['a']),
    step('a', 'all', 1, 0.87, 0.87, ['a', 'b'], 'b'),
    step('a', 'all', 2, 0.89, 0.89, ['a', 'b', 'c'], 'c'),
  ]
  return {
    'greedy': pd.DataFrame(honest + optimistic),
    'models': pd.DataFrame({'model': [], 'category': []}),
    'pairs': pd.DataFrame(),
  }


def test_members_by_all_examples_scored_honestly(study):
  (start,) = recommender.recommender(study, {})['starts']
  assert (start['name'], start['category']) == ('a', 'ARCH')
  assert start['steps'] == [
    {
      'more': 0, 'members': ['a'], 'added': '', 'best': False, 'gain': '–',
      'cost': '–',
      'accuracy': '80.00 % (79.00–81.00)', 'optimistic': '80.00 %',
    },
    {
      'more': 1, 'members': ['a', 'b'], 'added': 'b', 'best': False,
      'cost': '–',
      'gain': '+5.00 (3.00–7.00)', 'accuracy': '85.00 % (84.00–86.00)',
      'optimistic': '87.00 %',
    },
    # The best by what members are chosen by, though not by the score.
    {
      'more': 2, 'members': ['a', 'b', 'c'], 'added': 'c', 'best': True,
      'cost': '–',
      'gain': '+4.00 (2.00–6.00)', 'accuracy': '84.00 % (83.00–85.00)',
      'optimistic': '89.00 %',
    },
  ]  # fmt: skip


def costs(**flops):
  columns = {'model': list(flops), 'flops': list(flops.values())}
  return pd.DataFrame(columns).astype({'flops': 'Int64'})


def budget(half, of, accuracy, members):
  return step('a', half, 1, accuracy, accuracy, members) | {
    'budget': of,
    **{
      f'improvement{end}': accuracy - 0.8 + shift
      for end, shift in (('', 0), ('_lower', -0.01), ('_upper', 0.01))
    },
  }


def test_what_ensembles_cost(study):
  study['costs'] = costs(a=4_000_000, b=1_000_000, c=None)
  (start,) = recommender.recommender(study, {})['starts']
  assert start['flops'] == '4 MFLOP'
  assert [s['cost'] for s in start['steps']] == ['1.00', '1.25', '–']
  assert start['budgets'] == []


def test_the_best_within_budgets_scored_honestly(study):
  study['costs'] = costs(a=4, b=1, c=3)
  study['greedy_budgets'] = pd.DataFrame([
    budget('both', 1.25, 0.85, None), budget('1', 1.25, 0.99, ['a', 'c']),
    budget('all', 1.25, 0.87, ['a', 'b']),
    budget('both', 2.0, 0.84, ['a', 'b', 'c']),
    budget('all', 2.0, 0.89, ['a', 'b', 'c']),
  ])  # fmt: skip
  (start,) = recommender.recommender(study, {})['starts']
  assert start['budgets'] == [
    {
      'budget': '1.25', 'members': ['a', 'b'], 'cost': '1.25',
      'accuracy': '85.00 % (84.00–86.00)', 'gain': '+5.00 (4.00–6.00)',
      'optimistic': '87.00 %',
    },
    {
      'budget': '2', 'members': ['a', 'b', 'c'], 'cost': '2.00',
      'accuracy': '84.00 % (83.00–85.00)', 'gain': '+4.00 (3.00–5.00)',
      'optimistic': '89.00 %',
    },
  ]  # fmt: skip


def test_only_optimistic(study):
  greedy = study['greedy']
  study['greedy'] = greedy[greedy['half'] == 'all']
  (start,) = recommender.recommender(study, {})['starts']
  assert [s['accuracy'] for s in start['steps']] == 3 * ['–']
  assert [s['optimistic'] for s in start['steps']][1] == '87.00 %'
  assert start['steps'][2]['best']


def test_only_honest(study):
  greedy = study['greedy']
  study['greedy'] = greedy[greedy['half'] != 'all']
  (start,) = recommender.recommender(study, {})['starts']
  assert [s['members'] for s in start['steps']] == [['a'], [], []]
  assert {s['optimistic'] for s in start['steps']} == {'–'}


def test_nothing_to_recommend(study):
  assert recommender.recommender({}, {}) is None
  greedy = study['greedy']
  alone = {'greedy': greedy[greedy['step'] == 0]}
  assert recommender.recommender(alone, {}) is None


@pytest.mark.parametrize(
  ('bound', 'pool', 'text'),
  [
    (0.0, [], 'Only models less accurate than the first may be added.'),
    (1, [], 'Any of the models may be added.'),
    (0.779, [], 'Only models at most 77.9 % accurate may be added.'),
    (
      -0.01, ['x'],
      'Only models less accurate than the first by 1.00 points may be added,'
      ' of the models of config.analyses.greedy.pool.',
    ),
  ],
)  # fmt: skip
def test_what_may_be_added(study, bound, pool, text):
  request = {'options': {'greedy': {'bound': bound, 'pool': pool}}}
  assert recommender.recommender(study, request)['pool'] == text
  assert recommender.recommender(study, {})['pool'] == ''


def test_of_a_whole_study(tables, synthetic):
  made = recommender.recommender(tables, {})
  first = tables['first_additions']
  flops = synthetic.flops_of(synthetic.MODELS)
  for start in made['starts'][:3]:
    assert [float(b['budget']) for b in start['budgets']] == [
      budget for budget in synthetic.BUDGETS if flops[start['name']]
    ]
    for row in start['first']:
      both = flops[start['name']], flops[row['added']]
      known = None not in both
      assert row['cost'] == (f'{sum(both) / both[0]:.2f}' if known else '–')
    mine = first[first['start'] == start['name']]
    listed = [row['added'] for row in start['first']]
    assert listed == mine['added'].head(10).tolist()
    assert [len(s['members']) for s in start['steps']] == [1, 2, 3, 4]
  assert [row['size'] for row in made['free']] == [1, 2]
  assert [row['accuracy'] for row in made['free']] == ['–', '–']
  assert json.loads(json.dumps(made, allow_nan=False)) == made


def test_of_models_without_a_path_there_are_pairs(tables, synthetic):
  made = recommender.recommender(tables, {})
  others = made['starts'][3:]
  started = set(tables['greedy']['start'])
  wanted = set(synthetic.MODELS) - started - {synthetic.HARD_LABEL}
  assert {start['name'] for start in others} == wanted
  values = synthetic.margins()
  for start in others:
    assert start['steps'] == []
    assert len(start['first']) == 10
    alone = values[start['name']]
    together = {
      name: np.mean(alone + values[name] > 0)
      for name in synthetic.MODELS
      if name not in (start['name'], synthetic.HARD_LABEL)
    }
    best = start['first'][0]
    assert together[best['added']] == max(together.values())
    gain = together[best['added']] - np.mean(alone > 0)
    assert best['gain'].startswith(f'{100 * gain:+.2f} ('.replace('-', '−'))
    assert best['category'] == synthetic.MODELS[best['added']]
    assert best['own'] == f'{100 * np.mean(values[best["added"]] > 0):.1f} %'

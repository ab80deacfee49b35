"""Recommended ensembles with a given model, for the reader to select from.

The tables hold greedy selections from a few starts. Members are those selected
on all examples; their accuracy is that of members selected on one half of the
examples and scored on the other. For other models there are only pairs, whose
accuracies are optimistic.
"""

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from overlap.core import wording
from overlap.figures import frames, style
from overlap.report import gains
from overlap.report.costs import Costs

Row = Mapping[str, Any]
_FIRST = 10  # Models listed that may be added to a start.


def recommender(
  tables: frames.Tables, request: Mapping[str, Any]
) -> dict[str, Any] | None:
  """Returns the recommendations for JSON; None without greedy selection.

  Args:
    tables: tables of the study.
    request: contents of `tables/analysis.json`, empty if unknown.

  Returns:
    `pool`, a sentence on the models that may be added; `starts`, each with
    `name`, `category`, `flops` (per image, as text), `steps` (see `_step`;
    empty if greedy selection was not run from the model), `budgets` (see
    `_budgets`) and `first` (gains from adding one other model); `free`, the
    best subsets without a fixed start.
  """
  greedy = tables.get('greedy')
  if greedy is None or not (greedy['step'] > 0).any():
    return None
  additions, costs = tables.get('first_additions'), Costs(tables)
  starts = []
  for name, mine in greedy.groupby('start', sort=False):
    steps = _steps(mine, str(name), costs)
    if len(steps) > 1:
      starts.append(
        {
          'name': name,
          'category': style.category_name(mine['start_category'].iloc[0]),
          'flops': costs.of(str(name)),
          'steps': steps,
          'budgets': _budgets(tables, str(name), costs),
          'first': _first(additions, str(name), costs),
        }
      )
  if not starts:
    return None
  level = float((request.get('options') or {}).get('confidence', 0.95))
  known = {start['name'] for start in starts}
  starts += [
    {'name': row['model'], 'category': style.category_name(row['category']),
     'flops': costs.of(row['model']), 'steps': [], 'budgets': [],
     'first': first}
    for row in tables['models'].to_dict('records')
    if row['model'] not in known
    and (first := _partners(tables, row['model'], costs, level))
  ]  # fmt: skip
  return {'pool': _pool(request), 'starts': starts, 'free': _free(tables)}


def _steps(
  rows: pd.DataFrame, start: str, costs: Costs
) -> list[dict[str, Any]]:
  """Returns the ensembles from one start, beginning with the start alone."""
  whole = _by(rows[rows['half'] == 'all'], 'size')
  both = _by(rows[rows['half'] == 'both'], 'size')
  best = _best(both) if both else _best(whole)
  return [
    _step(whole.get(size), both.get(size), start, costs)
    | {'best': size == best}
    for size in sorted(whole.keys() | both.keys())
  ]


def _step(
  whole: Row | None, both: Row | None, start: str, costs: Costs
) -> dict[str, Any]:
  """Returns an `_ensemble` of greedy selection and its last added model."""
  row = whole if both is None else both
  assert row is not None
  gain = _gain(both, 'improvement_over_start')
  return {
    'more': int(row['step']),
    'added': '' if whole is None else whole['added'],
    **_ensemble(whole, both, start, costs),
    'gain': gain,
  }


def _budgets(
  tables: frames.Tables, start: str, costs: Costs
) -> list[dict[str, Any]]:
  """Returns the best ensembles from a start within budgets of operations.

  Returns:
    One `_ensemble` per budget, with its `gain` and `budget`, a multiple of the
    start's operations such as '2'.
  """
  table = tables.get('greedy_budgets')
  if table is None:
    return []
  mine = table[table['start'] == start]
  whole = _by(mine[mine['half'] == 'all'], 'budget')
  both = _by(mine[mine['half'] == 'both'], 'budget')
  return [
    {
      'budget': f'{budget:g}',
      **_ensemble(whole.get(budget), both.get(budget), start, costs),
      'gain': _gain(both.get(budget), 'improvement'),
    }
    for budget in sorted(whole.keys() | both.keys())
  ]


def _ensemble(
  whole: Row | None, both: Row | None, start: str, costs: Costs
) -> dict[str, Any]:
  """Returns the texts of one ensemble.

  Args:
    whole: row of the selection on all examples, if it was run.
    both: row of the cross-fitted selection, if it was run.
    start: name of the model that selection started from.
    costs: operations of the models.

  Returns:
    `members`, selected on all examples, empty if that was not run; `cost`,
    their operations as a multiple of the start's; `accuracy`, of members
    selected on one half and scored on the other, '–' if that was not run;
    `optimistic`, the accuracy on the examples of the selection.
  """
  told = None if whole is None else whole['members']
  # Cross-fitted selection has members if both halves select the same ones.
  members = json.loads(told or (both or {}).get('members') or '[]')
  return {
    'members': members,
    'cost': costs.times(members, start) if members else wording.MISSING,
    'accuracy': _accuracy(both),
    'optimistic': wording.MISSING
    if whole is None
    else wording.percent(whole['accuracy'], digits=2),
  }


def _best(rows: Mapping[int, Row]) -> int:
  """Returns the size with the best accuracy on the selection examples."""
  known = {
    size: row['selection_accuracy']
    for size, row in rows.items()
    if not wording.absent(row['selection_accuracy'])
  }
  return max(known, key=lambda size: known[size]) if known else 0


def _first(
  additions: pd.DataFrame | None, start: str, costs: Costs
) -> list[dict[str, str]]:
  if additions is None:
    return []
  mine = additions[additions['start'] == start].head(_FIRST)
  return [
    {
      'added': row['added'],
      'category': style.category_name(row['added_category']),
      'own': wording.percent(row['added_accuracy']),
      'cost': costs.times([row['added']], start),
      'accuracy': _accuracy(row),
      'gain': _gain(row, 'improvement'),
      'p': wording.p_value(row['mcnemar_p_holm']),
    }
    for row in mine.to_dict('records')
  ]


def _partners(
  tables: frames.Tables, name: str, costs: Costs, confidence: float
) -> list[dict[str, str]]:
  """Returns rows as `_first` does, from all pairs with a model.

  Unlike those of `_first`, partners may be more accurate than the model.
  """
  pairs, models = tables['pairs'], tables['models']
  categories = dict(zip(models['model'], models['category']))
  found = pd.concat(
    pairs[pairs[f'model_{side}'] == name].assign(side=side) for side in (1, 2)
  ).dropna(subset=['ensemble_accuracy'])
  found = found.sort_values(
    'ensemble_accuracy', ascending=False, kind='stable'
  ).head(_FIRST)
  return [
    {
      'added': row[f'model_{3 - row["side"]}'],
      'category': style.category_name(
        categories.get(row[f'model_{3 - row["side"]}'])
      ),
      'own': wording.percent(row[f'accuracy_{3 - row["side"]}']),
      'cost': costs.times([row[f'model_{3 - row["side"]}']], name),
      'accuracy': wording.percent(row['ensemble_accuracy'], digits=2),
      'gain': gains.over_one(row, row['side'], confidence),
      'p': wording.MISSING,
    }
    for row in found.to_dict('records')
  ]


def _free(tables: frames.Tables) -> list[dict[str, Any]]:
  """Returns the best subset of each size, if all subsets were searched."""
  table = tables.get('subsets')
  if table is None or table.empty:
    return []
  whole, both = (
    _by(table[table['half'] == half], 'size') for half in ('all', 'both')
  )
  return [
    {
      'size': size,
      'subsets': wording.count(row['subsets']),
      'members': json.loads(row['members'] or '[]'),
      'accuracy': _accuracy(both.get(size)),
      'optimistic': wording.percent(row['accuracy'], digits=2),
    }
    for size, row in sorted(whole.items())
  ]


def _pool(request: Mapping[str, Any]) -> str:
  options = (request.get('options') or {}).get('greedy')
  if options is None:
    return ''
  bound = options['bound']
  among = 'the models of config.analyses.greedy.pool' if options['pool'] else ''
  if bound == 1:
    return f'Any of {among or "the models"} may be added.'
  if bound > 0:
    limit = f'at most {wording.percent(bound)} accurate'
  elif bound < 0:
    limit = 'less accurate than the first by '
    limit += f'{wording.number(-100 * bound, 2)} points'
  else:
    limit = 'less accurate than the first'
  return f'Only models {limit} may be added{f", of {among}" if among else ""}.'


def _by(rows: pd.DataFrame, column: str) -> dict[Any, Row]:
  return {row[column]: row for row in rows.to_dict('records')}


def _accuracy(row: Row | None) -> str:
  if row is None:
    return wording.MISSING
  return wording.percent(
    row['accuracy'], row['accuracy_lower'], row['accuracy_upper'], digits=2
  )


def _gain(row: Row | None, name: str) -> str:
  if row is None:
    return wording.MISSING
  return wording.points(row[name], row[f'{name}_lower'], row[f'{name}_upper'])

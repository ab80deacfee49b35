"""Recommended small ensembles and their gains, in plain words."""

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from overlap.analyses import stats
from overlap.catalog.paper import published
from overlap.core import wording
from overlap.figures import frames
from overlap.report import sentences as say

_ALPHA = 0.05
_HONEST, _OPTIMISTIC = 'cross_fitted', 'optimistic'
Row = Mapping[str, Any]


def larger(tables: frames.Tables) -> say.Finding | None:
  """Sentences on greedy selection and on less accurate members."""
  best = tables.get('greedy_best')
  if best is None or best.empty or not (tables['greedy']['step'] > 0).any():
    return None
  scored = best[best['half'] == 'both']
  honest = not scored.empty
  if not honest:
    scored = best[best['protocol'] == _OPTIMISTIC]
  # Too few examples can leave a half empty.
  scored = scored.dropna(subset=['selection_accuracy', 'accuracy'])
  if scored.empty:
    return None
  said = _recommended(tables, best, scored)
  said += _optimism(scored) if honest else [_WARNING]
  said += _members_help(tables, scored)
  said += _exact(tables)
  return say.Finding('Which few models to ensemble', tuple(said))


_WARNING = (
  'These accuracies are too high: members were chosen on the very examples'
  ' that they are scored on.'
)


def _recommended(
  tables: frames.Tables, best: pd.DataFrame, scored: pd.DataFrame
) -> list[str]:
  """Sentences on the start whose ensemble is best on the selection examples.

  The start is selected on the same examples as the members, so that the score
  on the other examples stays unbiased.
  """
  row = scored.loc[scored['selection_accuracy'].idxmax()]
  start = say.quote(row['start'])
  accuracy = _accuracy(row)
  gain = wording.points(
    row['improvement'], row['improvement_lower'], row['improvement_upper']
  )
  how = (
    'members chosen on one half of the examples, scored on the other'
    if row['protocol'] == _HONEST
    else 'scored on the examples that members were chosen on'
  )
  said = [
    f'Greedy selection from {start} reaches {accuracy} ({how});'
    f' {start} alone has {wording.percent(row["start_accuracy"])}: {gain}'
    ' points.'
  ]
  models = tables['models']
  single = models.loc[models['accuracy'].idxmax()]
  if single['model'] != row['start']:
    said.append(
      f'The best single model, {say.quote(single["model"])}, has'
      f' {_accuracy(single)}.'
    )
  chosen = best[
    (best['start'] == row['start']) & (best['protocol'] == _OPTIMISTIC)
  ]
  if len(chosen):
    names = json.loads(chosen['members'].iloc[0])
    said.append(f'By all examples, its members are {say.named(names)}.')
  return said


def _optimism(scored: pd.DataFrame) -> list[str]:
  """Sentence on the optimism of accuracies on the selection examples."""
  over = (scored['selection_accuracy'] - scored['accuracy']).dropna()
  if over.empty:
    return []
  by = wording.number(100 * abs(over.mean()), 2)
  seem = f'{"more" if over.mean() > 0 else "less"} accurate by {by} points'
  if not float(by):
    seem = 'no more accurate than on others'
  return [
    'On the very examples that members are chosen on, such ensembles seem'
    f' {seem}, in the mean over {_starts(len(over))}.'
  ]


def _members_help(tables: frames.Tables, scored: pd.DataFrame) -> list[str]:
  additions = tables.get('first_additions')
  lower = (
    additions is not None
    and len(additions) > 0
    and (additions['added_accuracy'] < additions['start_accuracy']).all()
  )
  what = 'Less accurate members' if lower else 'Further members'
  adjusted = stats.holm(scored['mcnemar_p'].to_numpy())
  helped = scored[(adjusted < _ALPHA) & (scored['improvement'] > 0)]
  name, before, after, _ = published.GREEDY
  paper = (
    f'; in the paper they take {name} from'
    f' {wording.percent(before, digits=2)} to'
    f' {wording.percent(after, digits=2)}'
    if lower
    else ''
  )
  level = wording.percent(_ALPHA, digits=0)
  by = ''
  if len(helped):
    low, high = helped['improvement'].min(), helped['improvement'].max()
    by = f', by {wording.points(low)}'
    by += f' to {wording.points(high)} points' if high > low else ' points'
  return [
    f'{what} make {len(helped)} of {_starts(len(scored))} significantly more'
    f' accurate (McNemar’s test at {level} after Holm’s correction){by}{paper}.'
  ]


def _exact(tables: frames.Tables) -> list[str]:
  table = tables.get('subsets')
  if table is None or table.empty:
    return []
  rows = table[table['half'] == 'both']
  rows = rows if len(rows) else table[table['half'] == 'all']
  rows = rows.dropna(subset=['selection_accuracy', 'accuracy'])
  if rows.empty:
    return []
  row = rows.loc[rows['selection_accuracy'].idxmax()]
  total = int(rows['subsets'].sum())
  least = rows.loc[rows['greedy_selection_accuracy'].idxmax()]
  return [
    f'The best of all {wording.count(total)} subsets of up to'
    f' {int(rows["size"].max())} of {int(rows["subsets"].iloc[0])} models'
    f' has {int(row["size"])} members and {_accuracy(row)}, chosen and scored'
    ' in the same way; greedy selection among them comes to'
    f' {wording.percent(least["greedy_accuracy"])} with'
    f' {int(least["size"])}.'
  ]


def _accuracy(row: Row) -> str:
  return wording.percent(
    row['accuracy'], row.get('accuracy_lower'), row.get('accuracy_upper')
  )


def _starts(count: int) -> str:
  return '1 start' if count == 1 else f'{count} starts'

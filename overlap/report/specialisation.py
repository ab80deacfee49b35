"""Findings on specialisation and unequal weights, in plain words."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from overlap.core import wording
from overlap.figures import frames, trends, views
from overlap.report import sentences as say

Tables = frames.Tables
ALPHA = 0.05
_KEYS = ['model_1', 'model_2']
_CLASSES = 4  # Longer lists of classes are cut short.


def confident(tables: Tables) -> say.Finding | None:
  """Sentences on the confidence of the only model that is right."""
  found = _of_panels(tables, 'specialisation')
  if found.empty:
    return None
  said = [sentence for row in _rows(found) if (sentence := _confident(row))]
  trend = tables.get('specialisation_correlations')
  if trend is not None and len(trend):
    said += _trend(trend)
  return say.Finding('Is who is right also the more confident?', tuple(said))


def groups(tables: Tables) -> say.Finding | None:
  """Sentences on the class groups and classes on which a model is better."""
  by_group = _of_panels(tables, 'class_groups', contrast=True)
  by_class = _of_panels(tables, 'classes', contrast=True)
  if by_group.empty and by_class.empty:
    return None
  said = []
  if len(by_group):
    said += _group_sentences(
      by_group, int(tables['class_groups']['mcnemar_p'].notna().sum())
    )
  if len(by_class):
    said += _class_sentences(by_class)
  return say.Finding('Who is better on which classes', tuple(said))


def weights(tables: Tables) -> say.Finding | None:
  """Sentences on the best weights of two models and their gain."""
  found = _of_panels(tables, 'interpolation_optima')
  if found.empty:
    return None
  said = [
    'With weight t for the second model of a pair and 1 − t for the first,'
    ' t = 0.50 is the plain ensemble; in the paper the best t is at or near it.'
  ]
  said += [_weight(row) for row in _rows(found[found['kind'] == 'simple'])]
  aware = found[found['kind'] == 'class_aware']
  if len(aware):
    row = aware.iloc[0]
    said.append(
      f'With weights for groups (t = 0: {say.quote(row["group_a"])} by model 1'
      f' and {say.quote(row["group_b"])} by model 2; t = 1: the reverse):'
    )
    said += [_weight(row) for row in _rows(aware)]
  everything = tables['interpolation_optima']
  above = int((everything['gain_cross_fitted_lower'] > 0).sum())
  said.append(
    'The best t is chosen on the examples that it is shown on, which flatters'
    ' it; gains are cross-fitted: each half of the examples has the t that is'
    f' best on the other. Of all {len(everything)} gains in the table, {above}'
    ' have an interval above 0.'
  )
  return say.Finding('Are equal weights the best?', tuple(said))


def _of_panels(
  tables: Tables, name: str, *, contrast: bool = False
) -> pd.DataFrame:
  """Returns the rows of a table for the panels' pairs, in their order."""
  table = tables.get(name)
  if table is None or table.empty:
    return pd.DataFrame()
  chosen = []
  for view in ('panel', 'contrast') if contrast else ('panel',):
    try:
      chosen.append(views.pairs(tables, view)[_KEYS])
    except frames.NotDrawableError:
      continue
  if not chosen:
    return pd.DataFrame()
  pairs = pd.concat(chosen).drop_duplicates()
  return pairs.merge(table, on=_KEYS, how='inner')


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
  return list(table.to_dict('records'))


def _confident(row: Mapping[str, Any]) -> str:
  """Returns a sentence on one pair; '' if no model is ever right alone."""
  parts = []
  for side, model in (('only_1', 'model_1'), ('only_2', 'model_2')):
    name = f'{side}_confident'
    if wording.absent(row[name]):
      continue
    share = wording.percent(
      row[name], row[f'{name}_lower'], row[f'{name}_upper'], digits=0
    )
    name = say.quote(row[model])
    parts.append(
      f'on {share} of the {wording.count(row[side])} that only {name} gets'
      ' right'
    )
  if not parts:
    return ''
  apart = wording.decimal(
    row['theta_separation'],
    row['theta_separation_lower'],
    row['theta_separation_upper'],
  )
  return (
    f'{say.both(row)}: the model that is right alone is the more confident'
    f' {" and ".join(parts)}. The means of θ lie {apart} apart.'
  )


def _trend(table: pd.DataFrame) -> list[str]:
  chosen = table[
    (table['name'] == 'error_inconsistency_vs_theta_separation')
    & table['pearson'].notna()
  ]
  if chosen.empty:
    return []
  row = chosen.iloc[0]
  if not trends.enough(row):
    return [
      f'With the base there are {trends.too_few(row)} of that distance and'
      ' error inconsistency.'
    ]
  return [
    f'Over the {wording.count(row["n"])} pairs with the base, that distance and'
    f' error inconsistency correlate with {trends.r(row)}. The paper finds more'
    ' specialisation the further training methods are apart.'
  ]


def _group_sentences(table: pd.DataFrame, tests: int) -> list[str]:
  level = wording.percent(ALPHA, digits=0)
  won = table[table['mcnemar_p_holm'] < ALPHA]
  said = [
    f'By McNemar’s test at {level}, after Holm’s correction for {tests} tests'
    f' of a pair on a group of classes, {len(won) or "none"} of the'
    f' {len(table)} of the pairs shown differ{":" if len(won) else "."}'
  ]
  for row in _rows(won):
    better, worse = row['model_1'], row['model_2']
    value, ends = row['difference'], ('difference_lower', 'difference_upper')
    low, high = (row[end] for end in ends)
    if value < 0:
      better, worse = worse, better
      value, low, high = -value, -high, -low
    by = wording.decimal(100 * value, 100 * low, 100 * high)
    said.append(
      f'On {say.quote(row["group"])}, {say.quote(better)} is better than'
      f' {say.quote(worse)} by {by} points.'
    )
  return said


def _class_sentences(table: pd.DataFrame) -> list[str]:
  said = []
  for (one, two), mine in table.groupby(_KEYS, sort=False):
    won = mine[mine['q'] < ALPHA]
    sides = {
      one: won[won['only_1'] > won['only_2']],
      two: won[won['only_1'] < won['only_2']],
    }
    parts = [
      f'{say.quote(name)} on {_classes(rows)}'
      for name, rows in sides.items()
      if len(rows)
    ]
    if parts:
      said.append(
        f'At a false discovery rate of {wording.percent(ALPHA, digits=0)} over'
        f' the classes, of {say.quote(one)} and {say.quote(two)} the better is'
        f' {"; ".join(parts)}.'
      )
  return said


def _classes(table: pd.DataFrame) -> str:
  """Returns names of classes, the most significant first, cut short."""
  names = table.sort_values(['q', 'label'])['class_name'].tolist()
  left = len(names) - _CLASSES
  listed = ', '.join(names[:_CLASSES])
  return f'{listed} and {left} more classes' if left > 0 else listed


def _weight(row: Mapping[str, Any]) -> str:
  best = wording.decimal(
    row['best_t'], row['best_t_lower'], row['best_t_upper']
  )
  gain = wording.points(
    row['gain_cross_fitted'],
    row['gain_cross_fitted_lower'],
    row['gain_cross_fitted_upper'],
  )
  return (
    f'{say.both(row)}: best at t = {best}; cross-fitted gain {gain} points.'
  )

"""Findings on the order of the categories, compared with the paper's."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from overlap.catalog.paper import published
from overlap.core import wording
from overlap.figures import frames, style, trends
from overlap.report import sentences as say


def order(tables: frames.Tables) -> say.Finding | None:
  """Sentences on whether the categories stand in the paper's order."""
  table = frames.category_means(tables)
  table = table.dropna(subset=['error_inconsistency']) if len(table) else table
  if table.empty:
    return None
  rows = list(table.to_dict('records'))
  ours = ', '.join(
    f'{row["category"]} {say.inconsistency(row)}' for row in rows
  )
  paper = ', '.join(
    f'{row["category"]}'
    f' {wording.percent(published.ERROR_INCONSISTENCY[row["category"]])}'
    for row in rows
  )
  said = [
    f'Mean error inconsistency with the base: {ours}.',
    f'In the paper, on ImageNet: {paper}.',
  ]
  if len(rows) > 1:
    said += _order_sentences(rows)
  alone = [
    row['category']
    for row in rows
    if wording.absent(row.get('error_inconsistency_lower'))
  ]
  if alone:
    said.append(f'Too few models for an interval: {", ".join(alone)}.')
  said += _left_out(tables['models'])
  missing = [c for c in style.CATEGORIES if c not in set(table['category'])]
  if missing:
    said.append(f'No model of this study is {say.either(missing)}.')
  return say.Finding('Do the categories order as in the paper?', tuple(said))


def _left_out(models: pd.DataFrame) -> list[str]:
  unknown = models['category'].map(style.category_name) == style.UNKNOWN
  if not unknown.any():
    return []
  names = say.named(models.loc[unknown, 'model'])
  return [f'Of unknown category, and so in no mean: {names}.']


def _order_sentences(rows: Sequence[Mapping[str, Any]]) -> list[str]:
  """Sentences on the order; `rows` are in the paper's order."""
  name = 'error_inconsistency'
  combinations = list(itertools.combinations(rows, 2))
  swapped = [(a, b) for a, b in combinations if a[name] > b[name]]
  tied = sum(a[name] == b[name] for a, b in combinations)
  kept = len(combinations) - len(swapped) - tied
  tau = ''
  if len(rows) >= trends.CATEGORIES:
    value = (kept - len(swapped)) / len(combinations)
    tau = f' (Kendall’s τ = {wording.number(value, 2)})'
  elif any(wording.absent(row.get(f'{name}_lower')) for row in rows):
    return [f'These are too few ({len(rows)}) to tell of an order.']
  if kept == len(combinations):
    return [f'They stand in the paper’s order{tau}{_neighbours(rows)}.']
  said = [
    f'{kept} of {len(combinations)} pairs of categories stand in the paper’s'
    f' order{tau}.'
  ]
  for lower, higher in swapped:
    said.append(
      f'Swapped: {lower["category"]} lies above {higher["category"]}'
      f'{_overlap(lower, higher)}.'
    )
  return said


def _overlap(first: Mapping[str, Any], second: Mapping[str, Any]) -> str:
  low, high = 'error_inconsistency_lower', 'error_inconsistency_upper'
  if wording.absent(first.get(low)) or wording.absent(second.get(high)):
    return ''
  overlap = first[low] <= second[high]
  return ', though their intervals overlap' if overlap else ''


def _neighbours(rows: Sequence[Mapping[str, Any]]) -> str:
  """Returns a clause on neighbours whose intervals overlap, or ''."""
  close = [
    f'{a["category"]} and {b["category"]}'
    for a, b in itertools.pairwise(rows)
    if _overlap(b, a)
  ]
  return (
    f', though these intervals overlap: {", ".join(close)}' if close else ''
  )

"""Findings on similar representations and similar errors."""

from collections.abc import Mapping
from typing import Any

from overlap.core import wording
from overlap.figures import fig13, frames, trends
from overlap.report import sentences as say

_NAMES = {
  'cka': 'linear CKA',
  'cka_debiased': 'debiased CKA',
  'cca': 'mean canonical correlation',
  'mutual_knn': 'the share of nearest neighbours in common',
}
_TITLE = 'Do similar representations err alike?'
_SCOPES = {'all': 'pairs of models', 'base': 'pairs with the base'}
Row = Mapping[str, Any]


def similarity(tables: frames.Tables) -> say.Finding | None:
  """Sentences on correlations of similarity and error inconsistency."""
  found = {
    measure: row
    for measure in _NAMES
    if (row := fig13.correlation(tables, measure)) is not None
  }
  if 'cka' not in found:
    return None
  cka = found['cka']
  if not trends.enough(cka):
    few = f'There are {trends.too_few(cka)} of error inconsistency and CKA.'
    return say.Finding(_TITLE, (few,))
  found = {m: row for m, row in found.items() if trends.enough(row)}
  said = [
    f'Over the {wording.count(cka["n"])} {_SCOPES[cka["scope"]]} whose features'
    f' are stored, error inconsistency and linear CKA correlate with'
    f' r = {_r(cka)}{_doubt(cka)}; the paper, on ImageNet, finds the two not'
    ' well correlated.'
  ]
  others = [m for m in found if m != 'cka']
  if others:
    said.append(f'{_listed(found, others)}.')
    said.append(_best(found))
  return say.Finding(_TITLE, tuple(said))


def _listed(found: Mapping[str, Row], others: list[str]) -> str:
  texts = [f'{_NAMES[m]} r = {_r(found[m])}' for m in others]
  return f'Other similarities: {"; ".join(texts)}'


def _best(found: Mapping[str, Row]) -> str:
  """Sentence on the strongest correlation and its uncertainty."""
  best = max(found, key=lambda m: abs(found[m]['pearson']))
  row, name = found[best], _NAMES[best]
  text = f'{name[0].upper()}{name[1:]} goes best with error inconsistency'
  if best == 'cka':
    # The rows of the other measures hold their differences from CKA.
    behind = [m for m in found if _below(found[m]['stronger_upper'], 0)]
    if len(behind) == len(found) - 1:
      return f'{text}, by more than the uncertainty of each difference.'
    return f'{text}, by no more than the uncertainty of the differences.'
  by = wording.decimal(
    row['stronger'], row['stronger_lower'], row['stronger_upper'], digits=3
  )
  if _below(0, row['stronger_lower']):
    return f'{text}: its |r| is above that of CKA by {by}.'
  return (
    f'{text}, but whether better than CKA is open: the difference of their'
    f' |r| is {by}.'
  )


def _below(one: Any, two: Any) -> bool:
  """Returns whether both are numbers and the first is smaller."""
  return not wording.absent(one) and not wording.absent(two) and one < two


def _doubt(row: Row) -> str:
  """Returns a caveat if the interval contains 0 or is absent, else ''."""
  lower, upper = row['pearson_lower'], row['pearson_upper']
  if wording.absent(lower) or wording.absent(upper):
    return ' (too few models for an interval)'
  return ', which may be chance' if lower <= 0 <= upper else ''


def _r(row: Row) -> str:
  return wording.decimal(
    row['pearson'], row['pearson_lower'], row['pearson_upper']
  )

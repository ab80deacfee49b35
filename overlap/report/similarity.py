"""Whether similar representations mean similar mistakes, in plain words."""

from collections.abc import Mapping
from typing import Any

from overlap.figures import fig13, frames, wording
from overlap.report import sentences as say

_NAMES = {
  'cka': 'linear CKA',
  'cka_debiased': 'debiased CKA',
  'cca': 'mean canonical correlation',
  'mutual_knn': 'the share of nearest neighbours in common',
}
_SCOPES = {'all': 'pairs of models', 'base': 'pairs with the base'}
Row = Mapping[str, Any]


def similarity(tables: frames.Tables) -> say.Finding | None:
  """Which similarity goes best with error inconsistency, and how surely."""
  found = {
    measure: row
    for measure in _NAMES
    if (row := fig13.correlation(tables, measure)) is not None
  }
  if 'cka' not in found:
    return None
  cka = found['cka']
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
  return say.Finding('Do similar representations err alike?', tuple(said))


def _listed(found: Mapping[str, Row], others: list[str]) -> str:
  texts = [f'{_NAMES[m]} r = {_r(found[m])}' for m in others]
  return f'Other similarities: {"; ".join(texts)}'


def _best(found: Mapping[str, Row]) -> str:
  """The strongest correlation, and whether it is so beyond doubt."""
  best = max(found, key=lambda m: abs(found[m]['pearson']))
  row = found[best]
  text = (
    f'{_NAMES[best][0].upper()}{_NAMES[best][1:]} goes best with error'
    f' inconsistency{_doubt(row)}'
  )
  rivals = [m for m in found if m != best]
  if best == 'cka':
    # Against each of the others, whose rows hold the difference.
    behind = [m for m in rivals if _upper(found[m]) < 0]
    if len(behind) == len(rivals):
      return f'{text}, by more than the uncertainty of each difference.'
    return f'{text}, by no more than the uncertainty of the differences.'
  difference = wording.decimal(
    row['stronger'], row['stronger_lower'], row['stronger_upper']
  )
  if row['stronger_lower'] > 0:
    return f'{text}: its |r| is larger than that of CKA by {difference}.'
  return (
    f'{text}, but whether better than CKA is open: its |r| is larger by'
    f' {difference}.'
  )


def _doubt(row: Row) -> str:
  """What is said where the interval has 0 in it, or there is none."""
  lower, upper = row['pearson_lower'], row['pearson_upper']
  if wording.absent(lower) or wording.absent(upper):
    return ' (too few models for an interval)'
  return ', which may be chance' if lower <= 0 <= upper else ''


def _upper(row: Row) -> float:
  """The upper end of how much stronger than CKA; infinite without an end."""
  value = row['stronger_upper']
  return float('inf') if wording.absent(value) else float(value)


def _r(row: Row) -> str:
  return wording.decimal(
    row['pearson'], row['pearson_lower'], row['pearson_upper']
  )

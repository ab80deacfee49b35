"""Findings on joined features, in plain words."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from overlap.core import wording
from overlap.figures import frames, trends
from overlap.report import sentences as say

_TITLE = 'Do features overlap, or does one set hold the other?'
_NAMES = {
  'correlation': 'the least correlated first',
  'variance': 'those of most variance first',
  'cholesky': 'by pivoted Cholesky',
}


def joined(tables: frames.Tables) -> say.Finding | None:
  """Sentences on probes on half of both models' features, and compression."""
  pairs = tables.get('joined_pairs')
  if pairs is None or pairs['half_gain'].isna().all():
    return None
  pairs = pairs[pairs['half_gain'].notna()]
  said = [_counted(pairs)]
  correlation = tables.get('joined_correlations')
  if correlation is not None and correlation['pearson'].notna().any():
    said.append(_more_different(correlation.iloc[0]))
  left = _compressed(tables)
  return say.Finding(_TITLE, (*said, *([left] if left else [])))


def _counted(pairs: pd.DataFrame) -> str:
  above = int((pairs['half_gain_lower'] > 0).sum())
  below = int((pairs['half_gain_upper'] < 0).sum())
  best = pairs.loc[pairs['half_gain'].idxmax()]
  gain = wording.points(
    best['half_gain'], best['half_gain_lower'], best['half_gain_upper']
  )
  which = 'the most for' if len(pairs) > 1 else 'for'
  return (
    'A linear probe on half of each model’s features, no wider than the base’s'
    f', beats the better of the two alone for {above} of {len(pairs)} pairs'
    f' beyond its interval and falls behind for {below}; {which}'
    f' {say.both(best)}: {gain} points. The better one is found on the'
    ' examples it is scored on, which favours it.'
  )


def _more_different(row: Mapping[str, Any]) -> str:
  if not trends.enough(row):
    return (
      f'There are {trends.too_few(row)} of that gain and error inconsistency.'
    )
  text = f'Over {wording.count(row["n"])} pairs, that gain and error'
  text += f' inconsistency correlate with {trends.r(row)}'
  lower, upper = row['lower'], row['upper']
  if wording.absent(lower) or lower <= 0 <= upper:
    return (
      f'{text}: that more different training gains more, as the paper finds'
      ' on ImageNet, is neither shown nor ruled out here.'
    )
  if lower > 0:
    return f'{text}: the more different, the more is gained, as in the paper.'
  return (
    f'{text}: the more different, the less is gained; the paper finds more.'
  )


def _compressed(tables: frames.Tables) -> str:
  """Sentence on whether ranked dimensions beat randomly chosen ones."""
  targets = tables.get('compression_targets')
  if targets is None or targets.empty:
    return ''
  keys = ['model_2', 'ranking']
  # The accuracy is never reached: more dimensions are needed than there are.
  kept = targets['kept'].astype('Float64').fillna(float('inf'))
  needed = targets.assign(kept=kept).groupby(keys)['kept'].mean().unstack()
  ranked = [name for name in _NAMES if name in needed]
  if 'random' not in needed or not ranked:
    return ''
  fewer = int((needed[ranked[0]] < needed['random']).sum())
  more = int((needed[ranked[0]] > needed['random']).sum())
  return (
    f'Of both models’ dimensions, {_NAMES[ranked[0]]}, fewer than of a random'
    f' choice are needed to be as accurate as the base’s probe for {fewer} of'
    f' {len(needed)} pairs, and more for {more}.'
  )

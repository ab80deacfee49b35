"""Gains of ensembles of two, in plain words."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from overlap.analyses.specialisation import paired
from overlap.core import wording
from overlap.figures import frames
from overlap.report import sentences as say


def ensembles(
  tables: frames.Tables, *, confidence: float = 0.95
) -> say.Finding | None:
  """Sentences on the largest gains over both members' mean and the better."""
  pairs = tables['pairs'].dropna(subset=['ensemble_accuracy', 'gain'])
  if pairs.empty:
    return None
  better = pairs[['accuracy_1', 'accuracy_2']].max(axis='columns')
  over_better = pairs['ensemble_accuracy'] - better
  most = pairs.loc[pairs['gain'].idxmax()]
  gain = wording.points(most['gain'], most['gain_lower'], most['gain_upper'])
  mean = (most['accuracy_1'] + most['accuracy_2']) / 2
  several = len(pairs) > 1
  verb = 'gain most' if several else 'gain'
  said = [
    f'{say.both(most)} {verb} over the mean of their accuracies:'
    f' {gain} points, from {wording.percent(mean)} to'
    f' {wording.percent(most["ensemble_accuracy"])}.'
  ]
  place = over_better.idxmax()
  best = pairs.loc[place]
  if over_better[place] > 0:
    said.append(
      f'{say.both(best)} {verb} over the better of the two:'
      f' {_over_better(best, confidence)} points, from'
      f' {wording.percent(better[place])} to'
      f' {wording.percent(best["ensemble_accuracy"])}.'
    )
  above = int((over_better > 0).sum())
  sure = int((_least_over_better(pairs, confidence) > 0).sum())
  said += (
    _of_several(len(pairs), above, sure) if several else _of_one(above, sure)
  )
  return say.Finding('Which ensemble gains most', tuple(said))


def _of_several(pairs: int, above: int, sure: int) -> list[str]:
  return [
    f'{above} of {pairs} pairs {wording.verb(above, "is", "are")} more accurate'
    f' together than the better of the two alone, {sure} of them by more than'
    ' the uncertainty of the difference.',
    f'The most of {pairs} gains flatters: less is to be expected of the same'
    ' pairs on other examples, which intervals do not say.',
  ]


def _of_one(above: int, sure: int) -> list[str]:
  if not above:
    return [
      'Together they are no more accurate than the better of the two alone.'
    ]
  return [] if sure else ['That is within the uncertainty of the difference.']


def over_one(pair: Mapping[str, Any], side: int, confidence: float) -> str:
  """Returns an ensemble's gain in accuracy over one of its two models.

  Args:
    pair: row of `pairs.csv` with the counts of the ensemble.
    side: number of the model, 1 or 2.
    confidence: level of the interval.

  Returns:
    The gain in percentage points with its interval, as text.
  """
  found = paired.difference(*_counts(pair, side), confidence=confidence)
  return wording.points(*(float(value) for value in found))


def _counts(pair: Any, side: int) -> tuple[Any, Any, Any]:
  """Returns counts for the difference between an ensemble and one member.

  Args:
    pair: row of `pairs.csv`, or the whole table.
    side: number of the member, 1 or 2.

  Returns:
    The numbers of examples that only the ensemble gets right, that only the
    member gets right, and of all examples.
  """
  own, other = f'only_{side}', f'only_{3 - side}'
  return (
    pair[f'converted_{other}'] + pair['converted_neither'],
    pair['lost'] + pair[own] - pair[f'converted_{own}'],
    pair['n'],
  )


def _over_better(pair: Mapping[str, Any], confidence: float) -> str:
  side = 1 if pair['accuracy_1'] >= pair['accuracy_2'] else 2
  return over_one(pair, side, confidence)


def _least_over_better(pairs: pd.DataFrame, confidence: float) -> np.ndarray:
  """Returns lower bounds of the ensembles' gains over the better member."""
  lower = [
    paired.difference(*_counts(pairs, side), confidence=confidence)[1]
    for side in (1, 2)
  ]
  return np.where(pairs['accuracy_1'] >= pairs['accuracy_2'], *lower)

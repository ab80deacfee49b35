"""What ensembles of two gain, in plain words."""

from collections.abc import Mapping
from typing import Any

from overlap import plurals
from overlap.analyses.specialisation import paired
from overlap.figures import frames, wording
from overlap.report import sentences as say


def ensembles(
  tables: frames.Tables, *, confidence: float = 0.95
) -> say.Finding | None:
  """Which ensembles gain most: over their members' mean, and the better."""
  pairs = tables['pairs'].dropna(subset=['ensemble_accuracy', 'gain'])
  if pairs.empty:
    return None
  better = pairs[['accuracy_1', 'accuracy_2']].max(axis='columns')
  over_better = pairs['ensemble_accuracy'] - better
  most = pairs.loc[pairs['gain'].idxmax()]
  gain = wording.points(most['gain'], most['gain_lower'], most['gain_upper'])
  mean = (most['accuracy_1'] + most['accuracy_2']) / 2
  said = [
    f'{say.both(most)} gain most over the mean of their accuracies:'
    f' {gain} points, from {wording.percent(mean)} to'
    f' {wording.percent(most["ensemble_accuracy"])}.'
  ]
  place = over_better.idxmax()
  best = pairs.loc[place]
  if over_better[place] > 0:
    said.append(
      f'{say.both(best)} gain most over the better of the two:'
      f' {_over_better(best, confidence)} points, from'
      f' {wording.percent(better[place])} to'
      f' {wording.percent(best["ensemble_accuracy"])}.'
    )
  beaten = int((over_better > 0).sum())
  said.append(
    f'{beaten} of {plurals.counted(len(pairs), "pair")}'
    f' {plurals.verb(beaten, "is", "are")} more accurate together than the'
    ' better of the two alone.'
  )
  if len(pairs) > 1:
    said.append(
      f'The most of {len(pairs)} gains flatters: less is to be expected of the'
      ' same pairs on other examples, which intervals do not say.'
    )
  return say.Finding('Which ensemble gains most', tuple(said))


def over_one(pair: Mapping[str, Any], side: int, confidence: float) -> str:
  """What an ensemble is more accurate by than one of its two models.

  Args:
    pair: a row of `pairs.csv` with counts of an ensemble.
    side: which model, 1 or 2.
    confidence: level of the interval.

  Returns:
    Points with their interval.
  """
  # The model is right on what both are and on what it alone is.
  own, other = f'only_{side}', f'only_{3 - side}'
  counts = (
    pair[f'converted_{other}'] + pair['converted_neither'],
    pair['lost'] + pair[own] - pair[f'converted_{own}'],
    pair['n'],
  )
  found = paired.difference(*counts, confidence=confidence)
  return wording.points(*(float(value) for value in found))


def _over_better(pair: Mapping[str, Any], confidence: float) -> str:
  side = 1 if pair['accuracy_1'] >= pair['accuracy_2'] else 2
  return over_one(pair, side, confidence)

"""The mean average precision of Pascal VOC 2007 (Sec. 4.7).

Of a ranking by descending score, the precision interpolated at recall 0, 0.1,
… 1: the highest at that recall or a higher one, 0 where it is never reached.
Their mean is the average precision of a class. 'Difficult' examples of a class
are left out of its ranking.
"""

import numpy as np

from overlap import errors, lookup

COMPARISONS = {
  'exact': 'recall is compared in whole numbers',
  'linspace': 'as programs do that compare floats with 0, 0.1, … 1: recalls '
  'that are equal to a level may fall short of it',
}
TIES = {
  'together': 'equal scores enter the ranking at once: no order of rows counts',
  'rows': 'equal scores are ranked in the order of their rows, as by a stable '
  "sort in VOC's own program",
}
_LEVELS = 11


def average_precision(
  scores: np.ndarray,
  labels: np.ndarray,
  difficult: np.ndarray | None = None,
  *,
  comparison: str = 'exact',
  ties: str = 'together',
) -> float:
  """11-point average precision of one class.

  Args:
    scores: `[n]`, higher for what is more likely of the class.
    labels: `[n]`, 1 or True for what is of the class.
    difficult: `[n]`, True for what is left out; None for nothing.
    comparison: a key of `COMPARISONS`.
    ties: a key of `TIES`.

  Returns:
    A fraction; NaN where nothing that is left is of the class.

  Raises:
    DataError: shapes differ, or scores are NaN.
    UsageError: no such comparison or rule of ties.
  """
  lookup.check('comparison of recalls', comparison, COMPARISONS)
  lookup.check('rule of ties', ties, TIES)
  scores, labels = np.asarray(scores), np.asarray(labels).astype(bool)
  kept = np.ones(labels.shape, bool)
  if difficult is not None:
    kept = ~np.asarray(difficult).astype(bool)
  if scores.ndim != 1 or not scores.shape == labels.shape == kept.shape:
    raise errors.DataError(
      'Scores, labels and difficult examples must be [n] of one n, got shapes '
      f'{list(scores.shape)}, {list(labels.shape)}, {list(kept.shape)}.'
    )
  if np.isnan(scores).any():
    raise errors.DataError(
      f'Scores must be numbers, got NaN in row {np.isnan(scores).argmax()}.'
    )
  scores, labels = scores[kept], labels[kept]
  positives = int(labels.sum())
  if not positives:
    return float('nan')
  order = np.argsort(-scores, kind='stable')
  hits = np.cumsum(labels[order])
  precision = hits / np.arange(1, len(hits) + 1)
  if ties == 'together':
    ends = np.append(np.diff(scores[order]) != 0, True)
    hits, precision = hits[ends], precision[ends]
  # The best precision at a place or further down.
  best = np.maximum.accumulate(precision[::-1])[::-1]
  levels = np.arange(_LEVELS)
  if comparison == 'exact':
    reached = (_LEVELS - 1) * hits[None] >= levels[:, None] * positives
  else:
    recall = hits / positives
    reached = recall[None] >= np.linspace(0, 1, _LEVELS)[:, None]
  first = reached.argmax(axis=1)
  return float(np.mean(np.where(reached.any(axis=1), best[first], 0)))


def mean_average_precision(
  scores: np.ndarray,
  labels: np.ndarray,
  difficult: np.ndarray | None = None,
  *,
  comparison: str = 'exact',
  ties: str = 'together',
) -> tuple[float, np.ndarray]:
  """The mean over the classes, and each class's.

  Args:
    scores: `[n, k]`.
    labels: `[n, k]`.
    difficult: `[n, k]`: an example may be difficult for one class alone.
    comparison: a key of `COMPARISONS`.
    ties: a key of `TIES`.

  Returns:
    The mean over the classes that have examples, and `[k]`, NaN for the rest.

  Raises:
    DataError, UsageError: as `average_precision`; also where no class has
      examples.
  """
  scores, labels = np.asarray(scores), np.asarray(labels)
  if difficult is None:
    difficult = np.zeros(labels.shape, bool)
  difficult = np.asarray(difficult)
  if scores.ndim != 2 or not scores.shape == labels.shape == difficult.shape:
    raise errors.DataError(
      'Scores, labels and difficult examples must be [n, k] of one n and k, '
      f'got shapes {list(scores.shape)}, {list(labels.shape)}, '
      f'{list(difficult.shape)}.'
    )
  each = np.array(
    [
      average_precision(s, y, hard, comparison=comparison, ties=ties)
      for s, y, hard in zip(scores.T, labels.T, difficult.T)
    ]
  )
  if np.isnan(each).all():
    raise errors.DataError('At least one class must have examples, got none.')
  return float(np.nanmean(each)), each

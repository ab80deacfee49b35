"""The tables 'theta' and 'theta_examples': relative confidence by example.

A view is a set of pairs over the examples on which at least one of them is
inconsistent (Fig. 3): the panels together are one view, the contrast another.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from overlap.analyses import hashed
from overlap.analyses.specialisation import angle
from overlap.analyses.specialisation.groups import Groups
from overlap.tables import schemas, table_io

Rows = dict[str, list]


class PairOfModels(NamedTuple):
  """A pair of models over all examples of a split.

  Attributes:
    model_1: name of the first model.
    model_2: name of the second model.
    category: category of the pair.
    correct_1: correctness of the first model, bool `[examples]`.
    correct_2: correctness of the second model, bool `[examples]`.
    confidence_1: confidences of the first model, float64 `[examples]`, or None.
    confidence_2: confidences of the second model, float64 `[examples]`, or
      None.
    ensemble: correctness of the ensemble, bool `[examples]`, or None.
  """

  model_1: str
  model_2: str
  category: str
  correct_1: np.ndarray
  correct_2: np.ndarray
  confidence_1: np.ndarray | None
  confidence_2: np.ndarray | None
  ensemble: np.ndarray | None = None

  @property
  def identity(self) -> dict[str, str]:
    """Returns the columns that identify the pair."""
    return {
      'model_1': self.model_1,
      'model_2': self.model_2,
      'category': self.category,
    }

  @property
  def outcomes(self) -> np.ndarray:
    """Positions in `angle.OUTCOMES`, int64 `[examples]`."""
    return angle.outcome(self.correct_1, self.correct_2)

  @property
  def has_confidences(self) -> bool:
    """Returns whether both models have confidences."""
    return self.confidence_1 is not None and self.confidence_2 is not None

  def measures(self) -> dict[str, np.ndarray]:
    """Returns each of `angle.MEASURES`; requires confidences."""
    assert self.confidence_1 is not None
    assert self.confidence_2 is not None
    return angle.measures(self.confidence_1, self.confidence_2)


class View(NamedTuple):
  """Pairs of models over the same examples.

  Attributes:
    name: 'panel' or 'contrast'.
    pairs: pairs of models that all have confidences.
  """

  name: str
  pairs: Sequence[PairOfModels]

  def examples(self) -> np.ndarray:
    """Returns ascending indices where at least one pair is inconsistent."""
    apart = [pair.correct_1 != pair.correct_2 for pair in self.pairs]
    return np.flatnonzero(np.any(apart, axis=0))


def theta_table(
  views: Sequence[View], labels: np.ndarray, groups: Groups, *, bins: int
) -> pd.DataFrame:
  """Histograms of each pair of each view, by outcome and group of classes.

  Args:
    views: views with pairs.
    labels: labels, int `[examples]`.
    groups: groups of classes with separate histograms of theta.
    bins: number of bins of each histogram.

  Returns:
    The table 'theta', one row per bin. `group` is '' for all classes; `panel`
    counts the view's pairs from 1; `ensemble_correct` is how many of the
    `count` examples the ensemble gets right, missing without logits.
  """
  rows: Rows = {name: [] for name in schemas.SCHEMAS['theta']}
  for view in views:
    examples = view.examples()
    parts = {'': examples}
    for name, classes in groups.items():
      parts[name] = examples[np.isin(labels[examples], classes)]
    for panel, pair in enumerate(view.pairs, 1):
      for measure, values in pair.measures().items():
        for group, part in parts.items():
          if measure == 'theta' or not group:
            key = {'view': view.name, 'panel': panel, **pair.identity}
            key |= {'measure': measure, 'group': group, 'n': len(part)}
            _add_bins(rows, key, pair, values, part, bins)
  return table_io.typed('theta', rows)


def _add_bins(
  rows: Rows,
  key: dict[str, Any],
  pair: PairOfModels,
  values: np.ndarray,
  part: np.ndarray,
  bins: int,
) -> None:
  ends = angle.edges(key['measure'], bins)
  counts = angle.histogram(values[part], pair.outcomes[part], ends)
  right = None
  if pair.ensemble is not None:
    won = part[pair.ensemble[part]]
    right = angle.histogram(values[won], pair.outcomes[won], ends)
  for place, outcome in enumerate(angle.OUTCOMES):
    for i in range(bins):
      row = key | {
        'outcome': outcome,
        'bin': i,
        'lower': ends[i],
        'upper': ends[i + 1],
        'count': counts[place, i],
        'ensemble_correct': None if right is None else right[place, i],
      }
      for name, value in row.items():
        rows[name].append(value)


def examples_table(
  views: Sequence[View],
  ids: np.ndarray,
  labels: np.ndarray,
  class_names: Sequence[str],
  *,
  max_examples: int,
  seed: int,
) -> pd.DataFrame:
  """Samples examples of each view as points, the same ones for all its pairs.

  The sample depends on the ids and the seed, not on the order of the examples.

  Args:
    views: views with pairs.
    ids: ids of the examples, str `[examples]`.
    labels: labels, int `[examples]`.
    class_names: names of the classes, `[classes]`.
    max_examples: largest number of examples per view.
    seed: seed of the sample.

  Returns:
    The table 'theta_examples', one row per example and pair, sorted by view,
    pair, and the examples' order.
  """
  columns: Rows = {name: [] for name in schemas.SCHEMAS['theta_examples']}
  for view in views:
    chosen = sample(ids, view.examples(), max_examples, seed)
    for panel, pair in enumerate(view.pairs, 1):
      points = _points(pair, chosen)
      points |= {
        'id': [str(ids[i]) for i in chosen],
        'label': labels[chosen].tolist(),
        'class_name': [str(class_names[i]) for i in labels[chosen]],
      }
      same = {'view': view.name, 'panel': panel, **pair.identity}
      points |= {name: [value] * len(chosen) for name, value in same.items()}
      for name, values in points.items():
        columns[name] += values
  return table_io.typed('theta_examples', columns)


def _points(pair: PairOfModels, chosen: np.ndarray) -> Rows:
  """Returns a pair's columns for some examples."""
  assert pair.confidence_1 is not None
  assert pair.confidence_2 is not None
  right: list = [None] * len(chosen)
  if pair.ensemble is not None:
    right = pair.ensemble[chosen].tolist()
  return {
    'confidence_1': pair.confidence_1[chosen].tolist(),
    'confidence_2': pair.confidence_2[chosen].tolist(),
    'theta': pair.measures()['theta'][chosen].tolist(),
    'outcome': [angle.OUTCOMES[i] for i in pair.outcomes[chosen]],
    'ensemble_correct': right,
  }


def sample(
  ids: Sequence[str] | np.ndarray, examples: np.ndarray, most: int, seed: int
) -> np.ndarray:
  """Returns at most `most` of some examples, those with the lowest hashes.

  Args:
    ids: ids `[all examples]`.
    examples: indices to sample from.
    most: largest number of examples.
    seed: seed of the hash.

  Returns:
    Indices, in the order of `examples`.
  """
  if len(examples) <= most:
    return examples
  kept = hashed.order((ids[i] for i in examples), 'points', seed)[:most]
  return examples[np.sort(kept)]

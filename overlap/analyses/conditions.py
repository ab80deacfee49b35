"""Means over the conditions of a data set, for every pair of models.

Splits `<split>/<condition>` hold the same kind of images under different
conditions. What is hard in one of them is hard for every model, so that kappa
over all of them pooled is that of the conditions, not of the models. As Geirhos
et al. (2020, 2021) do, kappa is taken within each condition, and then the mean.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from overlap import store
from overlap.analyses import correctness, overview
from overlap.analyses import pairs as pairs_lib
from overlap.analyses.context import Context
from overlap.analyses.correctness import PairCounts
from overlap.tables import table_io


def siblings(reader: store.Store, dataset: str, split: str) -> list[str]:
  """Returns the splits of all conditions of the split that `split` belongs to.

  Args:
    reader: the store.
    dataset: name of the data set.
    split: `<split>/<condition>`.

  Returns:
    Names of splits, itself among them; none where it is no condition.
  """
  parent = split.rpartition('/')[0]
  return conditions_of(reader, dataset, parent) if parent else []


def conditions_of(reader: store.Store, dataset: str, split: str) -> list[str]:
  """The splits `<split>/<condition>` of a data set, sorted."""
  return sorted(
    name
    for other, name in reader.splits()
    if other == dataset and name.rpartition('/')[0] == split
  )


def measure(context: Context) -> dict[str, pd.DataFrame]:
  """The table 'conditions': means over all conditions that both models have.

  Without rows where the split is no condition.
  """
  split = context.split
  names = siblings(split.reader, split.dataset, split.split)
  index, listed = overview.measured_pairs(context)
  index = index[listed] if names else index[:0]
  columns = pairs_lib.identity(split, context.members, index)
  columns['split'] = [split.split.rpartition('/')[0]] * len(index)
  columns |= mean_over_conditions(_counts(context, names, index))
  return {'conditions': table_io.typed('conditions', columns)}


def mean_over_conditions(counts: PairCounts) -> dict[str, np.ndarray]:
  """Means of what pairs have in each condition, every condition alike.

  Args:
    counts: `[conditions, pairs]`; zeros where one of the two models has no
      predictions.

  Returns:
    Columns `[pairs]`: 'conditions', those that both models have; 'n', examples
    of all; the means, NaN without any; 'kappa_conditions', in how many kappa
    has a value, over which its mean is.
  """
  accuracy_1, accuracy_2 = correctness.accuracies(counts)
  kappa = correctness.kappa(counts)
  return {
    'conditions': (counts.total > 0).sum(axis=0),
    'n': counts.total.sum(axis=0),
    'accuracy_1': _mean(accuracy_1),
    'accuracy_2': _mean(accuracy_2),
    'error_inconsistency': _mean(correctness.error_inconsistency(counts)),
    'kappa': _mean(kappa),
    'kappa_conditions': np.isfinite(kappa).sum(axis=0),
  }


def _mean(values: np.ndarray) -> np.ndarray:
  """The mean over conditions `[conditions, pairs]` that have a value."""
  known = np.isfinite(values)
  return correctness.fraction(np.where(known, values, 0).sum(0), known.sum(0))


def _counts(
  context: Context, splits: Sequence[str], index: np.ndarray
) -> PairCounts:
  """Counts of pairs over splits, `[splits, pairs]`; zeros where one is absent.

  Args:
    context: context of the analysis, with the models and the data set.
    splits: names of the splits.
    index: int `[pairs, 2]`, the pairs.
  """
  reader, dataset = context.split.reader, context.split.dataset
  counts = np.zeros((4, len(splits), len(index)), np.int64)
  for place, split in enumerate(splits):
    labels = reader.examples(dataset, split).labels
    found = [_predicted(reader, dataset, split, m) for m in context.names]
    absent = np.full(len(labels), correctness.NO_CLASS)
    predicted = np.stack([absent if p is None else p for p in found])
    correct = correctness.right(predicted, labels)
    present = np.array([p is not None for p in found])
    both = present[index].all(axis=1)
    counts[:, place, both] = correctness.pair_counts(correct).at(*index[both].T)
  return PairCounts(*counts)


def _predicted(
  reader: store.Store, dataset: str, split: str, model: str
) -> np.ndarray | None:
  """A model's classes over a split, `[examples]`; None without predictions."""
  if model not in reader.models(dataset, split):
    return None
  record = reader.record(dataset, split, model)
  arrays = record['arrays'] if record else {}
  if 'predicted' in arrays:
    return reader.read(dataset, split, model, 'predicted')
  if 'logits' in arrays:
    return correctness.predicted(reader.read(dataset, split, model, 'logits'))
  return None

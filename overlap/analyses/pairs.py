"""All measurements of pairs of models, as columns of the table of pairs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from overlap.analyses import bootstrap, correctness, ensembles, stats
from overlap.analyses.allpairs.resume import Checkpoint
from overlap.analyses.members import Member, Split, StoredLogits
from overlap.analyses.options import Options
from overlap.catalog import categories

Columns = dict[str, Any]


def measure_pairs(
  split: Split,
  members: Sequence[Member],
  index: np.ndarray,
  *,
  classes: int,
  options: Options,
  checkpoint: Checkpoint | None = None,
) -> Columns:
  """Measures pairs of models.

  Args:
    split: split of the examples.
    members: models of the pairs.
    index: indices of the two models, int `[pairs, 2]`.
    classes: number of classes of the logits.
    options: options of the ensembles and the resampling.
    checkpoint: checkpoint for resuming an interrupted pass, or None.

  Returns:
    Columns of the table of pairs except `mcnemar_p_holm`, each `[pairs]`.
  """
  first, second = index.T
  correct = np.stack([member.correct for member in members])
  counts = correctness.pair_counts(correct).at(first, second)
  made = _ensembles(
    split, members, index, correct, classes, options, checkpoint
  )
  columns = identity(split, members, index)
  columns |= _counted(counts)
  predicted = np.stack([member.predicted for member in members])
  columns |= _compared(
    counts, correctness.same_wrong(predicted, correct)[first, second]
  )
  columns |= _combined(counts, made, options)
  columns |= _intervals(members, index, counts, made, options)
  return columns


def take(columns: Columns, rows: np.ndarray) -> Columns:
  """Returns the columns of some pairs; `rows` are bool or int."""
  return {name: np.asarray(values)[rows] for name, values in columns.items()}


class _Made:
  """Counts of ensembles for the pairs of models that both have logits."""

  def __init__(
    self, soft: np.ndarray, counts: Mapping[str, ensembles.EnsembleCounts]
  ):
    self.soft, self.counts = soft, counts

  def rates(
    self,
    pairs: correctness.PairCounts,
    method: str,
    rate: Callable[
      [correctness.PairCounts, ensembles.EnsembleCounts], np.ndarray
    ],
  ) -> np.ndarray:
    """Returns a rate, float64 `[pairs]`, NaN for other pairs."""
    result = np.full(len(self.soft), np.nan)
    if method in self.counts:
      chosen = correctness.PairCounts(*(field[self.soft] for field in pairs))
      result[self.soft] = rate(chosen, self.counts[method])
    return result

  def column(self, method: str, field: str) -> np.ndarray:
    """Returns a count, objects `[pairs]`, None for other pairs."""
    result = np.full(len(self.soft), None, object)
    result[self.soft] = getattr(self.counts[method], field).tolist()
    return result


def _ensembles(
  split: Split,
  members: Sequence[Member],
  index: np.ndarray,
  correct: np.ndarray,
  classes: int,
  options: Options,
  checkpoint: Checkpoint | None,
) -> _Made:
  has_logits = np.array([m.temperatures is not None for m in members])
  soft = has_logits[index].all(axis=1)
  counts = ensembles.pair_ensembles(
    [StoredLogits(split, member, classes) for member in members],
    split.labels,
    index[soft],
    methods=options.methods,
    correct=correct,
    temperatures=[member.temperatures for member in members],
    memory_mb=options.memory_mb,
    checkpoint=checkpoint,
  )
  return _Made(soft, counts)


def identity(
  split: Split, members: Sequence[Member], index: np.ndarray
) -> Columns:
  """Models, category, data set and split of pairs `[pairs, 2]`."""
  pairs = [(members[i], members[j]) for i, j in index]
  return {
    'model_1': [one.name for one, _ in pairs],
    'model_2': [two.name for _, two in pairs],
    'category': [
      categories.pair_category(one.axes, two.axes, one.category, two.category)
      for one, two in pairs
    ],
    'dataset': [split.dataset] * len(pairs),
    'split': [split.split] * len(pairs),
  }


def _counted(counts: correctness.PairCounts) -> Columns:
  """Returns the columns that need no ensemble."""
  accuracy_1, accuracy_2 = correctness.accuracies(counts)
  dominance_1, dominance_2 = correctness.dominance(counts)
  return {
    'n': counts.total,
    **counts._asdict(),
    'accuracy_1': accuracy_1,
    'accuracy_2': accuracy_2,
    'error_inconsistency': correctness.error_inconsistency(counts),
    'kappa': correctness.kappa(counts),
    'mcnemar_p': stats.mcnemar(counts.only_1, counts.only_2),
    'dominance_1': dominance_1,
    'dominance_2': dominance_2,
  }


def _compared(
  counts: correctness.PairCounts, same_wrong: np.ndarray
) -> Columns:
  """Returns further similarity measures, which need no logits."""
  kappa_min, kappa_max = correctness.kappa_range(counts)
  return {
    'kappa_min': kappa_min,
    'kappa_max': kappa_max,
    'q_statistic': correctness.q_statistic(counts),
    'double_fault': correctness.double_fault(counts),
    'disagreement': correctness.disagreement(counts, same_wrong),
    'same_wrong': same_wrong,
    'agreement_when_wrong': correctness.agreement_when_wrong(
      counts, same_wrong
    ),
  }


def _combined(
  counts: correctness.PairCounts, made: _Made, options: Options
) -> Columns:
  """Returns the ensembles' columns; all but one use the first method."""
  first = options.methods[0]
  rates = {
    'ensemble_accuracy': ensembles.accuracy,
    'gain': ensembles.gain,
    'conversion_rate': ensembles.conversion_rate,
    'neither_conversion_rate': ensembles.neither_conversion_rate,
    'loss_rate': ensembles.loss_rate,
  }
  columns: Columns = {
    name: made.rates(counts, first, rate) for name, rate in rates.items()
  }
  columns['ensemble_accuracy_probs'] = made.rates(
    counts, 'probs', ensembles.accuracy
  )
  columns['ensemble_correct'] = made.column(first, 'correct')
  for name in (
    'converted_only_1', 'converted_only_2', 'converted_neither', 'lost',
  ):  # fmt: skip
    columns[name] = made.column(first, name)
  return columns


def _intervals(
  members: Sequence[Member],
  index: np.ndarray,
  counts: correctness.PairCounts,
  made: _Made,
  options: Options,
) -> Columns:
  rights = _rights(counts, made, options.methods[0])
  table = bootstrap.Table(np.stack(counts, axis=1), rights)
  found = bootstrap.intervals(
    table,
    names=[(members[one].name, members[two].name) for one, two in index],
    resamples=options.resamples,
    seed=options.seed,
    confidence=options.confidence,
  )
  for name in bootstrap.OF_ENSEMBLE:
    found[name][:, ~made.soft] = np.nan
  # These rates often have few examples, whose percentiles would be too narrow.
  level = options.confidence
  both, rights = counts.both_correct, rights.astype(np.float64)
  rights[~made.soft] = np.nan
  for name, part, whole in (
    ('neither_conversion_rate', rights[:, 3], counts.neither),
    ('loss_rate', both - rights[:, 0], both),
  ):
    found[name] = np.stack(stats.wilson(part, whole, confidence=level))
  return {
    f'{name}_{end}': bounds
    for name, both in found.items()
    for end, bounds in zip(('lower', 'upper'), both)
  }


def _rights(
  counts: correctness.PairCounts, made: _Made, method: str
) -> np.ndarray:
  """Counts the ensemble's correct examples per cell, int64 `[pairs, 4]`."""
  ensemble = made.counts[method]
  rights = np.zeros((len(made.soft), 4), np.int64)
  rights[made.soft] = np.stack(
    [
      counts.both_correct[made.soft] - ensemble.lost,
      ensemble.converted_only_1,
      ensemble.converted_only_2,
      ensemble.converted_neither,
    ],
    axis=1,
  )
  return rights

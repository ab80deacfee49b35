"""Linear probes on arrays of features: each model alone, and all side by side.

The protocol is the same as for stored features: each model's features are
normalised with statistics of its training split, the strength is chosen on
held-out examples, the probe is refitted on training and held-out examples, and
the test split is predicted once.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from overlap.analyses import correctness, stats
from overlap.analyses.greedy import paired
from overlap.core import errors, lookup
from overlap.probes import normalise, rows, selection

SPLITS = ('train', 'heldout', 'test')


class Probed(NamedTuple):
  """A probe and its correctness on the test split.

  Attributes:
    selection: chosen strength, all tried strengths, and the probe, which takes
      features as `compare` normalises them.
    correct: correctness on the test split, bool `[examples]`.
    width: number of features d.
  """

  selection: selection.Selection
  correct: np.ndarray
  width: int


def compare(
  features: Mapping[str, Mapping[str, Any]],
  labels: Mapping[str, Any],
  *,
  num_classes: int = 0,
  strengths: Sequence[float] = selection.STRENGTHS,
  normalisation: str = 'l2_standardise',
) -> dict[str, Probed]:
  """Probes each model's features, and the features of all models side by side.

  Args:
    features: mapping from models' names to 'train', 'heldout' and 'test'
      features `[n, d]`; n is the same for all models and d for all splits.
    labels: labels of 'train', 'heldout' and 'test', int `[n]`.
    num_classes: number of classes; 0 for one more than the highest label.
    strengths: candidate values of L2.
    normalisation: a key of `normalise.KINDS`.

  Returns:
    A mapping from models' names, and from all names joined by ' + ' for two or
    more models, to their probes.

  Raises:
    DataError: a split is absent, or shapes or values are invalid.
    UsageError: an argument is out of range.
  """
  if not features:
    raise errors.DataError('Features of a model or more must be given, got 0.')
  _check_splits('labels', labels)
  classes = num_classes or 1 + max(int(np.max(labels[s])) for s in SPLITS)
  targets = {
    split: rows.check_labels(labels[split], len(labels[split]), classes, split)
    for split in SPLITS
  }
  ready = {
    name: _normalised(name, own, targets, normalisation)
    for name, own in features.items()
  }
  if len(ready) > 1:
    ready[' + '.join(features)] = {
      split: np.concatenate([ready[name][split] for name in features], axis=1)
      for split in SPLITS
    }
  return {
    name: _probed(own, targets, classes, strengths)
    for name, own in ready.items()
  }


def table(
  probed: Mapping[str, Probed], confidence: float = 0.95
) -> pd.DataFrame:
  """Returns a table with a row for each of `compare`'s probes.

  Returns:
    `features`, `width`, `l2`, `end` ('weakest' or 'strongest' if the choice is
    at that end of the grid), `heldout_accuracy` (before the refit), `accuracy`
    on the test split with Wilson's `_lower` and `_upper`, `converged`.
  """
  found = []
  for name, one in probed.items():
    chosen, right = one.selection, np.sum(one.correct)
    low, high = stats.wilson(
      right, np.asarray(len(one.correct)), confidence=confidence
    )
    place = np.argmax(np.equal(chosen.strengths, chosen.l2))
    found.append(
      {
        'features': name,
        'width': one.width,
        'l2': chosen.l2,
        'end': chosen.end,
        'heldout_accuracy': chosen.accuracies[place],
        'accuracy': one.correct.mean(),
        'accuracy_lower': float(low),
        'accuracy_upper': float(high),
        'converged': chosen.probe.fit.converged,
      }
    )
  return pd.DataFrame(found)


def gains(
  probed: Mapping[str, Probed], confidence: float = 0.95
) -> pd.DataFrame:
  """Compares the last probe, of all models side by side, with each other.

  Returns:
    `features` (of the other probe), `gained` and `lost` (examples that only the
    last, and only the other, gets right), `gain` with Bonett and Price's
    `_lower` and `_upper`, `mcnemar_p` of the exact test.
  """
  *others, (_, last) = probed.items()
  found = []
  for name, one in others:
    apart = paired.compare(one.correct, last.correct, confidence=confidence)
    found.append(
      {
        'features': name,
        'gained': int(apart.gained),
        'lost': int(apart.lost),
        'gain': float(apart.estimate),
        'gain_lower': float(apart.lower),
        'gain_upper': float(apart.upper),
        'mcnemar_p': float(apart.p),
      }
    )
  return pd.DataFrame(found)


def inconsistency(probed: Mapping[str, Probed]) -> pd.DataFrame:
  """Error inconsistency of the probes, a row and a column for each."""
  correct = np.stack([one.correct for one in probed.values()])
  counts = correctness.pair_counts(correct)
  names = list(probed)
  return pd.DataFrame(correctness.error_inconsistency(counts), names, names)


def choices(probed: Mapping[str, Probed]) -> pd.DataFrame:
  """Returns a table with a row for each strength of each probe.

  Returns:
    `features`, `l2`, `heldout_accuracy`, `heldout_nll` (nats), `converged`,
    `ended_early` (a rough solution was too far behind to win) and `chosen`.
  """
  return pd.concat(
    pd.DataFrame(
      {
        'features': name,
        'l2': one.selection.strengths,
        'heldout_accuracy': one.selection.accuracies,
        'heldout_nll': one.selection.nlls,
        'converged': one.selection.converged,
        'ended_early': one.selection.ended_early,
        'chosen': np.equal(one.selection.strengths, one.selection.l2),
      }
    )
    for name, one in probed.items()
  ).reset_index(drop=True)


def _check_splits(what: str, given: Mapping[str, Any]) -> None:
  missing = [split for split in SPLITS if split not in given]
  if missing:
    raise errors.DataError(
      f'The {what} must be given for train, heldout and test, got none for '
      f'{", ".join(missing)}. Given: {", ".join(given) or "none"}.'
    )


def _normalised(
  name: str,
  given: Mapping[str, Any],
  targets: Mapping[str, np.ndarray],
  kind: str,
) -> dict[str, np.ndarray]:
  """Normalises a model's splits by statistics of its training split."""
  lookup.check_choice('normalisation', kind, normalise.KINDS)
  _check_splits(f'features of {name!r}', given)
  checked = {
    split: rows.as_rows(given[split], f'{split} ({name})') for split in SPLITS
  }
  width = checked['train'].shape[1]
  for split, one in checked.items():
    if one.shape != (wanted := (len(targets[split]), width)):
      raise errors.DataError(
        f'The {split} features of {name!r} must be {list(wanted)}, got '
        f'{list(one.shape)}.'
      )
  normal = normalise.measure_statistics(checked['train'], kind)
  return {
    split: np.concatenate([normal(block) for _, block in one.blocks()])
    for split, one in checked.items()
  }


def _probed(
  features: Mapping[str, np.ndarray],
  labels: Mapping[str, np.ndarray],
  num_classes: int,
  strengths: Sequence[float],
) -> Probed:
  chosen = selection.select(
    features['train'], labels['train'], features['heldout'], labels['heldout'],
    num_classes=num_classes, strengths=strengths,
    normalisation='none',  # Normalised above, model by model.
  )  # fmt: skip
  logits = chosen.probe.logits(features['test'])
  correct = correctness.correct(logits, labels['test'])
  return Probed(chosen, correct, features['test'].shape[1])

"""Measurements of one model on a split, read from the store."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from absl import logging

from overlap import store
from overlap.analyses import calibration, correctness
from overlap.analyses.options import Options
from overlap.catalog import categories
from overlap.core import errors


class Split(NamedTuple):
  """A split of a data set in a store."""

  reader: store.Store
  dataset: str
  split: str
  labels: np.ndarray  # [examples]

  def read(
    self, model: str, name: str, rows: slice = slice(None)
  ) -> np.ndarray:
    """Reads rows of an array of a model."""
    return self.reader.read(
      self.dataset, self.split, model, name, rows.start or 0, rows.stop
    )


class Member(NamedTuple):
  """A model of the comparison.

  Attributes:
    name: name of the model.
    category: category relative to the base; 'BASE' for the base, '' if unknown.
    axes: position of its training on each axis, or None.
    columns: columns of the table of models.
    correct: correctness, bool `[examples]`.
    predicted: predicted classes, int32 `[examples]`; -1 if the logits have NaN.
    temperatures: temperatures, float32 `[examples]`, or None for a model with
      hard labels.
    confidence: confidence in the predicted class, float64 `[examples]`,
      calibrated for logits and as stored for hard labels; None without either.
  """

  name: str
  category: str
  axes: Mapping[str, str] | None
  columns: dict[str, Any]
  correct: np.ndarray
  predicted: np.ndarray
  temperatures: np.ndarray | None
  confidence: np.ndarray | None = None


class StoredLogits:
  """Stored logits `[examples, classes]`, read on demand."""

  def __init__(self, split: Split, member: Member, classes: int):
    self._split, self._member = split, member
    self.shape = (len(split.labels), classes)

  def __getitem__(self, rows: slice) -> np.ndarray:
    return self._split.read(self._member.name, 'logits', rows)


class CalibratedLogits(StoredLogits):
  """Logits `[examples, classes]` divided by temperatures, read on demand."""

  def __getitem__(self, rows: slice) -> np.ndarray:
    logits = super().__getitem__(rows)
    assert self._member.temperatures is not None
    return logits / self._member.temperatures[rows, np.newaxis]


def category_of(
  record: Mapping[str, Any], base_record: Mapping[str, Any]
) -> str:
  """Returns a model's category, from the axes if both models have them.

  Otherwise it is the category in the record, given with the predictions.

  Raises:
    DataError: the category is invalid, or an axis is missing.
  """
  if record['model'] == base_record['model']:
    return categories.BASE
  if record.get('axes') and base_record.get('axes'):
    return categories.category_to_base(record['axes'], base_record['axes'])
  said = record.get('category') or categories.UNKNOWN
  if said == categories.BASE:  # The record is relative to another base.
    return categories.UNKNOWN
  if said and said not in categories.CATEGORIES:
    raise errors.DataError(
      f'The category of {record["model"]!r} must be one of '
      f'{", ".join(categories.CATEGORIES)}, got {said!r}.'
    )
  return said


def measure_member(
  split: Split,
  record: Mapping[str, Any],
  base_record: Mapping[str, Any],
  *,
  folds: np.ndarray,
  options: Options,
  logits: np.ndarray | None = None,
) -> Member:
  """Reads and calibrates one model's predictions, and measures the model.

  Args:
    split: split of the examples.
    record: record.json of the model.
    base_record: record.json of the base.
    folds: fold of each example, int `[examples]`, from
      `calibration.folds_from_ids`.
    options: options of the calibration.
    logits: logits of the model if they are already read.

  Raises:
    DataError: neither logits nor predicted classes are stored.
  """
  soft = 'logits' in record['arrays']
  confidence: np.ndarray | None
  if soft:
    if logits is None:
      logits = split.read(record['model'], 'logits')
    predicted = correctness.predicted(logits)
    correct = correctness.right(predicted, split.labels)
    own, temperatures, confidence = _measure_logits(
      split, record, logits, correct, folds, options
    )
  else:
    predicted = _predicted(split, record)
    correct = correctness.right(predicted, split.labels)
    own, confidence = _measure_hard(split, record, correct)
    temperatures = None
  columns = {
    'model': record['model'],
    'category': category_of(record, base_record),
    'method': str(record.get('method') or ''),
    'head': str(record.get('head') or ''),
    'dataset': split.dataset,
    'split': split.split,
    'n': len(correct),
    'accuracy': float(correct.mean()),
    **own,
  }
  return Member(
    record['model'],
    columns['category'],
    record.get('axes'),
    columns,
    correct,
    predicted,
    temperatures,
    confidence,
  )


def _measure_logits(
  split: Split,
  record: Mapping[str, Any],
  logits: np.ndarray,
  correct: np.ndarray,
  folds: np.ndarray,
  options: Options,
) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
  name, labels = record['model'], split.labels
  fitted = calibration.calibrate(
    logits, labels, folds,
    num_folds=options.folds, objective=options.calibration,
  )  # fmt: skip
  temperatures = fitted.per_example.astype(np.float32)
  losses, confidences = calibration.losses(logits, labels, [1.0, temperatures])
  unusable = int(np.count_nonzero(np.isnan(confidences[0])))
  ruled_out = int(np.count_nonzero(np.isposinf(losses[0])))
  if unusable:
    logging.warning(
      '%s: %d of %d examples have NaN or infinite logits; NaN counts as wrong, '
      'and neither is calibrated on', name, unusable, len(labels),
    )  # fmt: skip
  if ruled_out:
    logging.warning(
      '%s: %d of %d examples have a label that minus infinity rules out; no '
      'temperature makes their loss finite, so that calibration leaves them '
      'out, and NLL and the calibrated ECE are empty',
      name, ruled_out, len(labels),
    )  # fmt: skip
  masked = _masked(logits)
  if masked:
    logging.warning(
      '%s: minus infinity rules out classes in %d of %d examples, not the same '
      'in all; where the members of an ensemble rule out all classes it has '
      'none, which is wrong', name, masked, len(labels),
    )  # fmt: skip
  if fitted.fits.bound_hit.any():
    logging.warning(
      '%s: no best temperature within the bounds, took %s',
      name, ', '.join(f'{t:.4g}' for t in fitted.temperatures),
    )  # fmt: skip
  columns = {
    'temperature': _one_temperature(fitted.temperatures),
    'nll': _mean(losses[0]),
    'nll_calibrated': _mean(losses[1]),
    'ece': calibration.ece_sweep(confidences[0], correct),
    # The temperature would be fitted to the other examples alone.
    'ece_calibrated': None
    if ruled_out
    else calibration.ece_sweep(confidences[1], correct),
    'calibration_converged': bool(fitted.fits.converged.all()),
    'calibration_bound_hit': bool(fitted.fits.bound_hit.any()),
    'calibration_left_out': unusable + ruled_out,
  }
  return columns, temperatures, confidences[1]


def _masked(logits: np.ndarray) -> int:
  """In how many examples classes are ruled out; 0 where in all the same."""
  if not logits.size or logits.min() > -np.inf:
    return 0
  ruled_out = np.isneginf(logits)
  if (ruled_out == ruled_out[0]).all():
    return 0
  return int(np.count_nonzero(ruled_out.any(axis=1)))


def _predicted(split: Split, record: Mapping[str, Any]) -> np.ndarray:
  """Reads the stored classes, int32 `[examples]`.

  Raises:
    DataError: no classes are stored.
  """
  name = record['model']
  if 'predicted' not in record['arrays']:
    raise errors.DataError(
      f'Model {name!r} must have logits or predicted classes, got '
      f'{", ".join(record["arrays"]) or "neither"}.'
    )
  return split.read(name, 'predicted').astype(np.int32)


def _measure_hard(
  split: Split, record: Mapping[str, Any], correct: np.ndarray
) -> tuple[dict[str, Any], np.ndarray | None]:
  name = record['model']
  ece, confidence = None, None
  if 'confidence' in record['arrays']:
    confidence = split.read(name, 'confidence').astype(np.float64)
    ece = calibration.ece_sweep(confidence, correct)
  absent = ('temperature', 'nll', 'nll_calibrated', 'ece_calibrated')
  of_fit = (
    'calibration_converged', 'calibration_bound_hit', 'calibration_left_out',
  )  # fmt: skip
  return dict.fromkeys(absent + of_fit) | {'ece': ece}, confidence


def _one_temperature(temperatures: np.ndarray) -> float:
  """Geometric mean over folds, in the shortest digits if all agree."""
  if (temperatures == temperatures[0]).all():
    return float(str(np.float32(temperatures[0])))
  return float(np.exp(np.log(temperatures.astype(np.float64)).mean()))


def _mean(losses: np.ndarray) -> float | None:
  """Mean loss; None, an empty field, if it is not finite."""
  mean = float(losses.mean())
  return mean if np.isfinite(mean) else None

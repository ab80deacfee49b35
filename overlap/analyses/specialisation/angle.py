"""Theta: relative confidence of two models (Sec. 4.3, Fig. 3 and 9)."""

import numpy as np

# Under the mean of probabilities, model 1's top class wins for certain if
# `2 conf_1 - conf_2 > 1`, that is, if theta is above this threshold; model 2's
# wins if theta is below its negative.
THRESHOLD = float(np.arctan(2) - np.pi / 4)
# Outcomes at position `2 * (1 is wrong) + (2 is wrong)`.
OUTCOMES = ('both', 'only_1', 'only_2', 'neither')
# Measures with histograms, and the ends of their symmetric ranges.
MEASURES = {'theta': float(np.pi / 4), 'confidence_difference': 1.0}


def theta(conf_1: np.ndarray, conf_2: np.ndarray) -> np.ndarray:
  """Angular distance in the plane of confidences, around (1, 1).

    theta = atan2(1 - conf_2, 1 - conf_1) - pi / 4

  Args:
    conf_1: confidences of model 1, in [0, 1], of any shape.
    conf_2: confidences of model 2, of the same shape.

  Returns:
    Angles, float64 in [-pi/4, pi/4]: positive if model 1 is more confident, 0
    if both are equally confident, including both certain; NaN if either
    confidence is NaN.
  """
  # Rounding may put a confidence above 1.
  doubt_1 = np.maximum(1 - np.asarray(conf_1, np.float64), 0)
  doubt_2 = np.maximum(1 - np.asarray(conf_2, np.float64), 0)
  angle = np.arctan2(doubt_2, doubt_1) - np.pi / 4
  return np.where(doubt_1 == doubt_2, 0.0, angle)


def measures(conf_1: np.ndarray, conf_2: np.ndarray) -> dict[str, np.ndarray]:
  """Returns each of `MEASURES` of examples, float64 `[examples]`."""
  difference = np.asarray(conf_1, np.float64) - np.asarray(conf_2, np.float64)
  return {'theta': theta(conf_1, conf_2), 'confidence_difference': difference}


def outcome(correct_1: np.ndarray, correct_2: np.ndarray) -> np.ndarray:
  """Returns positions in `OUTCOMES` of examples, int64 `[examples]`."""
  wrong_1, wrong_2 = ~np.asarray(correct_1, bool), ~np.asarray(correct_2, bool)
  return 2 * wrong_1.astype(np.int64) + wrong_2


def edges(measure: str, bins: int) -> np.ndarray:
  """Returns bin edges of one of `MEASURES`, float64 `[bins + 1]`."""
  return np.linspace(-MEASURES[measure], MEASURES[measure], bins + 1)


def histogram(
  values: np.ndarray, outcomes: np.ndarray, ends: np.ndarray
) -> np.ndarray:
  """Counts values by outcome and bin.

  A value on an inner edge is in the upper bin; one at or beyond the last edge
  is in the last bin. NaN is in no bin.

  Args:
    values: values `[examples]`.
    outcomes: positions in `OUTCOMES`, `[examples]`.
    ends: ascending bin edges, `[bins + 1]`.

  Returns:
    Counts, int64 `[4, bins]`.
  """
  bins = len(ends) - 1
  known = ~np.isnan(values)
  place = np.searchsorted(ends, values[known], side='right') - 1
  place = np.clip(place, 0, bins - 1)
  counts = np.bincount(outcomes[known] * bins + place, minlength=4 * bins)
  return counts.reshape(4, bins)

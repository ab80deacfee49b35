"""Theta: which of two models is the more confident (Sec. 4.3, Fig. 3 and 9)."""

import numpy as np

# Under the mean of probabilities, model 1's top class wins for certain where
# `2 conf_1 - conf_2 > 1`, which is where theta is above this; model 2's where
# it is below the negative.
THRESHOLD = float(np.arctan(2) - np.pi / 4)
# By who is right: `2 * (1 is wrong) + (2 is wrong)` is the position.
OUTCOMES = ('both', 'only_1', 'only_2', 'neither')
# What histograms are over, and the end of their range to either side.
MEASURES = {'theta': float(np.pi / 4), 'confidence_difference': 1.0}


def theta(conf_1: np.ndarray, conf_2: np.ndarray) -> np.ndarray:
  """The angle distance in the plane of confidences, around (1, 1).

    theta = atan2(1 - conf_2, 1 - conf_1) - pi / 4

  Args:
    conf_1: model 1's confidences, in [0, 1], of any shape.
    conf_2: model 2's.

  Returns:
    float64 in [-pi/4, pi/4]: positive where model 1 is the more confident, 0
    where they are equally so, both certain included; NaN where either is.
  """
  # A confidence may be a rounding error above 1.
  doubt_1 = np.maximum(1 - np.asarray(conf_1, np.float64), 0)
  doubt_2 = np.maximum(1 - np.asarray(conf_2, np.float64), 0)
  angle = np.arctan2(doubt_2, doubt_1) - np.pi / 4
  return np.where(doubt_1 == doubt_2, 0.0, angle)


def measures(conf_1: np.ndarray, conf_2: np.ndarray) -> dict[str, np.ndarray]:
  """Each of `MEASURES` of examples, float64 `[examples]`."""
  difference = np.asarray(conf_1, np.float64) - np.asarray(conf_2, np.float64)
  return {'theta': theta(conf_1, conf_2), 'confidence_difference': difference}


def outcome(correct_1: np.ndarray, correct_2: np.ndarray) -> np.ndarray:
  """The position in `OUTCOMES` of each example, int64 `[examples]`."""
  wrong_1, wrong_2 = ~np.asarray(correct_1, bool), ~np.asarray(correct_2, bool)
  return 2 * wrong_1.astype(np.int64) + wrong_2


def edges(measure: str, bins: int) -> np.ndarray:
  """The ends of the bins of one of `MEASURES`, float64 `[bins + 1]`."""
  return np.linspace(-MEASURES[measure], MEASURES[measure], bins + 1)


def histogram(
  values: np.ndarray, outcomes: np.ndarray, ends: np.ndarray
) -> np.ndarray:
  """Counts by outcome and bin.

  A value on the end of two bins is in the upper one; one at or beyond the
  last end is in the last bin. NaN is in none.

  Args:
    values: `[examples]`.
    outcomes: `[examples]`, positions in `OUTCOMES`.
    ends: `[bins + 1]`, ascending.

  Returns:
    int64 `[4, bins]`.
  """
  bins = len(ends) - 1
  known = ~np.isnan(values)
  place = np.searchsorted(ends, values[known], side='right') - 1
  place = np.clip(place, 0, bins - 1)
  counts = np.bincount(outcomes[known] * bins + place, minlength=4 * bins)
  return counts.reshape(4, bins)

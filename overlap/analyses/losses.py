"""Losses and confidences of examples at given temperatures.

Probabilities are `softmax(logits / T)`.
"""

from collections.abc import Sequence

import numpy as np

from overlap.analyses import softmax


def losses(
  logits: np.ndarray,
  labels: np.ndarray,
  temperatures: Sequence[np.ndarray | float],
) -> tuple[np.ndarray, np.ndarray]:
  """Computes NLLs and confidences at several temperatures in one pass.

  Args:
    logits: logits `[examples, classes]`.
    labels: class indices `[examples]`.
    temperatures: temperatures, each a number or `[examples]`.

  Returns:
    Results of `nll` and `confidence`, `[temperatures, examples]` each.
  """
  return softmax.losses(logits, labels, temperatures)


def nll(
  logits: np.ndarray, labels: np.ndarray, temperature: np.ndarray | float = 1.0
) -> np.ndarray:
  """Negative log-likelihood of each example, in nats.

  Args:
    logits: logits `[examples, classes]`.
    labels: class indices `[examples]`.
    temperature: a number, or `[examples]`.

  Returns:
    Losses, float64 `[examples]`: inf if the label has -inf, NaN in rows with
    NaN or +inf.
  """
  return losses(logits, labels, [temperature])[0][0]


def confidence(
  logits: np.ndarray, temperature: np.ndarray | float = 1.0
) -> np.ndarray:
  """Probability of each example's most likely class.

  Args:
    logits: logits `[examples, classes]`.
    temperature: a number, or `[examples]`.

  Returns:
    Probabilities, float64 `[examples]`; NaN in rows with NaN or +inf.
  """
  return confidences(logits, [temperature])[0]


def confidences(
  logits: np.ndarray, temperatures: Sequence[np.ndarray | float]
) -> np.ndarray:
  """Computes `confidence` at several temperatures in one pass.

  Args:
    logits: logits `[examples, classes]`.
    temperatures: temperatures, each a number or `[examples]`.

  Returns:
    Probabilities, float64 `[temperatures, examples]`.
  """
  return losses(logits, np.zeros(len(logits), int), temperatures)[1]


def mean_finite(values: np.ndarray) -> float:
  """Mean over the finite losses, which a fit includes; 0 without any."""
  values = values[np.isfinite(values)]
  return float(values.mean()) if len(values) else 0.0

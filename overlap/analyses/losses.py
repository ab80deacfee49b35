"""What each example loses, and how confident it is, at given temperatures.

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
  """NLLs and confidences at several temperatures, of one read of the logits.

  Args:
    logits: `[examples, classes]`.
    labels: `[examples]` class indices.
    temperatures: each one number, or `[examples]`.

  Returns:
    What `nll` and `confidence` return, `[temperatures, examples]` each.
  """
  return softmax.losses(logits, labels, temperatures)


def nll(
  logits: np.ndarray, labels: np.ndarray, temperature: np.ndarray | float = 1.0
) -> np.ndarray:
  """Each example's negative log-likelihood, in nats.

  Args:
    logits: `[examples, classes]`.
    labels: `[examples]` class indices.
    temperature: one, or `[examples]`.

  Returns:
    float64 `[examples]`: inf where the label has -inf, NaN in rows with NaN
    or +inf.
  """
  return losses(logits, labels, [temperature])[0][0]


def confidence(
  logits: np.ndarray, temperature: np.ndarray | float = 1.0
) -> np.ndarray:
  """The probability of each example's most likely class.

  Args:
    logits: `[examples, classes]`.
    temperature: one, or `[examples]`.

  Returns:
    float64 `[examples]`; NaN in rows with NaN or +inf.
  """
  return confidences(logits, [temperature])[0]


def confidences(
  logits: np.ndarray, temperatures: Sequence[np.ndarray | float]
) -> np.ndarray:
  """`confidence` at several temperatures, of one read of the logits.

  Args:
    logits: `[examples, classes]`.
    temperatures: each one number, or `[examples]`.

  Returns:
    float64 `[temperatures, examples]`.
  """
  return losses(logits, np.zeros(len(logits), int), temperatures)[1]


def mean_finite(values: np.ndarray) -> float:
  """The mean over the examples that a fit counts; 0 without any."""
  values = values[np.isfinite(values)]
  return float(values.mean()) if len(values) else 0.0

"""Resamples of the examples that all pairs share.

A mean over pairs, a correlation, or the difference between two pairs depends on
how the pairs' errors go together, which draws of each pair's own table
(see `bootstrap`) lose. Here every resample is one draw of the examples, and
what it makes of any number of indicators is one product of matrices.
"""

import numpy as np

# Examples, and counts, of which float32 holds every sum exactly.
_EXACT_FLOAT32 = 2**24
# Numbers of a block's two factors: 64 MB in float32.
_HELD = 2**24


def weights(examples: int, *, resamples: int, seed: int) -> np.ndarray:
  """How often each resample holds each example.

  Args:
    examples: how many there are, and are drawn, with replacement.
    resamples: how many times.
    seed: of the draws; each resample has a generator of its own, so that the
      first of more resamples are those of fewer.

  Returns:
    int32 `[resamples, examples]`, each row's sum the number of examples.
  """
  result = np.zeros((resamples, examples), np.int32)
  for row in range(resamples if examples else 0):
    drawn = np.random.default_rng([seed, row]).integers(
      0, examples, examples, dtype=np.int32 if examples < 2**31 else np.int64
    )
    result[row] = np.bincount(drawn, minlength=examples)
  return result


def totals(indicators: np.ndarray, *, resamples: int, seed: int) -> np.ndarray:
  """How many examples of each resample have each property.

  Args:
    indicators: bool `[properties, examples]`, e.g. which examples exactly one
      of two models gets right, for many pairs.
    resamples: how many.
    seed: of the draws.

  Returns:
    int64 `[resamples, properties]`, exact.
  """
  indicators = np.asarray(indicators, bool)
  number, examples = indicators.shape
  kind = np.dtype('f4' if examples < _EXACT_FLOAT32 else 'f8')
  drawn = weights(examples, resamples=resamples, seed=seed).astype(kind)
  result = np.empty((resamples, number), np.int64)
  step = max(1, _HELD // max(1, examples))
  for start in range(0, number, step):
    block = indicators[start : start + step].astype(kind)
    result[:, start : start + step] = np.matmul(drawn, block.T)
  return result

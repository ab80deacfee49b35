"""Bootstrap resamples of the examples that all pairs share.

A mean over pairs, a correlation, or the difference of two pairs depends on the
correlation of the pairs' errors, which separate draws for each pair (see
`bootstrap`) lose. Here each resample is one draw of the examples, and counts of
any number of indicators are one matrix product.
"""

import numpy as np

# Largest number of examples for which float32 sums are exact.
_EXACT_FLOAT32 = 2**24
# Entries of the two factors of a block: 64 MB in float32.
_HELD = 2**24


def weights(examples: int, *, resamples: int, seed: int) -> np.ndarray:
  """Draws the number of copies of each example in each resample.

  Args:
    examples: number of examples, and of draws with replacement.
    resamples: number of resamples.
    seed: seed of the draws; each resample has its own generator, so that the
      first of more resamples are those of fewer.

  Returns:
    Counts, int32 `[resamples, examples]`; each row sums to the number of
    examples.
  """
  result = np.zeros((resamples, examples), np.int32)
  for row in range(resamples if examples else 0):
    drawn = np.random.default_rng([seed, row]).integers(
      0, examples, examples, dtype=np.int32 if examples < 2**31 else np.int64
    )
    result[row] = np.bincount(drawn, minlength=examples)
  return result


def totals(indicators: np.ndarray, *, resamples: int, seed: int) -> np.ndarray:
  """Counts the examples of each resample that have each property.

  Args:
    indicators: properties, bool `[properties, examples]`, e.g. whether exactly
      one of two models is right, for many pairs.
    resamples: number of resamples.
    seed: seed of the draws.

  Returns:
    Exact counts, int64 `[resamples, properties]`.
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

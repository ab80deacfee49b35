"""How often intervals hold the truth, by drawing tables from known shares.

The shares are like those of pairs of the paper and of small studies: both,
only 1, only 2, neither, and of each how much the ensemble gets right. Of 1,000
draws, 95 % intervals cover between 93 and 97 %, up to chance three standard
errors (0.7 points each).
"""

import numpy as np
import pytest

from overlap.analyses import bootstrap, stats

DRAWS = 1000
PAIRS = {
  'reinit': ([0.72, 0.042, 0.043, 0.195], [0.998, 0.56, 0.56, 0.013]),
  'dataset': ([0.66, 0.09, 0.095, 0.155], [0.995, 0.6, 0.65, 0.05]),
  'small images': ([0.875, 0.025, 0.026, 0.074], [0.997, 0.6, 0.58, 0.02]),
}
# Of 200 to 1,000 examples, one to ten are inconsistent.
RARE = {
  'alike': ([0.95, 0.004, 0.005, 0.041], [0.999, 0.55, 0.5, 0.01]),
  'very alike': ([0.7, 0.002, 0.002, 0.296], [0.9995, 0.55, 0.5, 0.005]),
  'one-sided': ([0.9, 0.012, 0.0005, 0.0875], [0.9995, 0.75, 0.3, 0.005]),
}


def covered(shares, rights, examples, **kwargs):
  """How often the intervals of each statistic hold its true value."""
  shares, rights = np.array(shares), np.array(rights)
  truth = bootstrap.measurements(shares, shares * rights)
  rng = np.random.default_rng(0)
  total = rng.multinomial(examples, shares, size=DRAWS)
  found = bootstrap.intervals(
    bootstrap.Table(total, rng.binomial(total, rights)),
    names=[('base', str(i)) for i in range(DRAWS)],
    resamples=1000,
    **kwargs,
  )
  result = {}
  for name, (lower, upper) in found.items():
    known = np.isfinite(lower)
    inside = (lower <= truth[name]) & (truth[name] <= upper)
    result[name] = inside[known].mean()
  return result


@pytest.mark.parametrize('name', PAIRS)
@pytest.mark.parametrize('examples', [500, 5000, 50_000])
def test_intervals_of_pairs_cover(name, examples):
  for value in covered(*PAIRS[name], examples).values():
    assert 0.93 <= value <= 0.97


@pytest.mark.parametrize('name', RARE)
@pytest.mark.parametrize('examples', [200, 500, 1000])
def test_where_hardly_any_example_is_inconsistent(name, examples):
  found = covered(*RARE[name], examples)
  for statistic, value in found.items():
    # A gain also has what few draws show: what is lost, or neither's.
    assert value >= (0.88 if statistic == 'gain' else 0.92)


def test_another_level_is_kept_too():
  for value in covered(*PAIRS['reinit'], 2000, confidence=0.8).values():
    assert 0.77 <= value <= 0.83


@pytest.mark.parametrize('examples', [200, 1000, 50_000])
@pytest.mark.parametrize('accuracy', [0.55, 0.765, 0.9])
def test_intervals_of_accuracies_cover(accuracy, examples):
  rng = np.random.default_rng(examples)
  right = rng.binomial(examples, accuracy, size=10 * DRAWS)
  found = {}
  for name, interval in stats.PROPORTION_INTERVALS.items():
    lower, upper = interval(right, examples)
    found[name] = ((lower <= accuracy) & (accuracy <= upper)).mean()
  assert 0.93 <= found['wilson'] <= 0.97
  # The exact one never covers less often than it says.
  assert 0.945 <= found['exact'] <= 0.98


@pytest.mark.parametrize('neither', [60, 400, 7154])
@pytest.mark.parametrize('rate', [0.013, 0.03, 0.07])
def test_intervals_of_the_neither_rate_cover(rate, neither):
  rng = np.random.default_rng(neither)
  converted = rng.binomial(neither, rate, size=10 * DRAWS)
  lower, upper = stats.wilson(converted, neither)
  inside = ((lower <= rate) & (rate <= upper)).mean()
  # Few counts are coarse: no interval of them covers in 95 % exactly.
  assert inside >= (0.93 if neither * rate > 10 else 0.91)

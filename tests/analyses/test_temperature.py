"""The solver against scipy's, and on inputs that make others diverge."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import optimize, special

from overlap.analyses import likelihood, temperature
from overlap.core import errors

INF = np.inf


def draw(examples, classes, scale=3.0, seed=0):
  """Logits that are `scale` times too large for their labels."""
  rng = np.random.default_rng([examples, classes, seed])
  clean = rng.normal(size=(examples, classes)) * 2
  labels = (clean + rng.gumbel(size=clean.shape)).argmax(axis=1)
  return (scale * clean).astype(np.float32), labels


def naive_nll(logits, labels, t, weights=None):
  z = np.asarray(logits, np.float64) / t
  rows = special.logsumexp(z, axis=1) - z[np.arange(len(z)), labels]
  return np.average(rows, weights=weights)


def naive_fit(logits, labels, weights=None):
  found = optimize.minimize_scalar(
    lambda x: naive_nll(logits, labels, np.exp(x), weights),
    bounds=(np.log(1e-3), np.log(1e3)),
    method='bounded',
    options={'xatol': 1e-10},
  )
  return np.exp(found.x), found.fun


def fit(logits, labels, weights=None, backend=None):
  logits = np.asarray(logits, np.float32)
  weights = np.ones(len(labels)) if weights is None else np.asarray(weights)
  return temperature.fit_folds(
    logits, labels, weights[np.newaxis], backend=backend
  )


def exact_fit(logits, labels, keep):
  """The root of the NLL's slope in 1/T, in float64."""
  z = np.asarray(logits, np.float64)[keep]
  z = z - z.max(axis=1, keepdims=True)
  chosen = z[np.arange(len(z)), labels[keep]]

  def slope(b):
    p = special.softmax(z * b, axis=1)
    return ((p * z).sum(axis=1) - chosen).mean()

  return 1 / optimize.brentq(slope, 1e-3, 1e3, xtol=1e-13, rtol=1e-13)


def check_sound(found):
  """What holds of every fit, whatever it was fitted on."""
  assert all(np.isfinite(field).all() for field in found)
  assert (found.temperature >= np.float32(temperature.LOWEST)).all()
  assert (found.temperature <= np.float32(temperature.HIGHEST)).all()
  assert (found.converged != found.bound_hit).all()


@pytest.mark.slow_except(
  'numba-200-2-3.0',
  'numba-1000-7-0.01',
  'numba-300-1000-0.5',
  'xla-500-10-1.0',
  'xla-333-100-20.0',
  'xla-3000-5-200.0',
)
@pytest.mark.parametrize(
  ('examples', 'classes', 'scale'),
  [
    (200, 2, 3.0),
    (500, 10, 1.0),
    (1000, 7, 0.01),
    (333, 100, 20.0),
    (300, 1000, 0.5),
    (3000, 5, 200.0),
  ],
)
@pytest.mark.parametrize('backend', temperature.BACKENDS)
def test_equals_scipys_minimum(examples, classes, scale, backend):
  logits, labels = draw(examples, classes, scale)
  found = fit(logits, labels, backend=backend)
  expected, loss = naive_fit(logits, labels)
  assert found.temperature[0] == pytest.approx(expected, rel=1e-4)
  assert found.nll[0] == pytest.approx(loss, rel=1e-5)
  assert abs(found.grad[0]) < 1e-5
  assert found.converged[0]
  assert not found.bound_hit[0]
  assert found.steps[0] <= 10


def test_recovers_the_temperature_that_drew_the_labels():
  logits, labels = draw(20_000, 5, 1.7)
  assert fit(logits, labels).temperature[0] == pytest.approx(1.7, rel=0.03)


@pytest.mark.slow_except(
  '0-6000-10-5-xla',
  '0-6000-10-5-numba',
  '1-3000-100-2-numba',
  '1-2100-300-5-numba',
)
@pytest.mark.parametrize('backend', temperature.BACKENDS)
@pytest.mark.parametrize(
  ('examples', 'classes', 'folds'),
  [(6000, 10, 5), (3000, 100, 2), (40_000, 4, 10), (2100, 300, 5)],
)
@pytest.mark.parametrize('seed', range(2))
def test_folds_are_exact_in_few_passes(examples, classes, folds, seed, backend):
  logits, labels = draw(examples, classes, 1.56, seed)
  fold = np.random.default_rng(seed).integers(0, folds, examples)
  keep = fold != np.arange(folds)[:, np.newaxis]
  found = temperature.fit_folds(logits, labels, keep, backend=backend)
  expected = [exact_fit(logits, labels, rows) for rows in keep]
  # Float32 rounds sums and the temperature itself.
  rounding = 1e-6 if backend == 'numba' else 3e-6
  np.testing.assert_allclose(
    found.temperature, expected, rtol=temperature.TOLERANCE + rounding
  )
  assert found.converged.all()
  assert (found.steps <= 2).all()
  assert found.passes.max() <= 2 + 4 * 1024 / 2100


def test_a_large_fit_takes_at_most_two_and_a_half_passes():
  logits, labels = draw(30_000, 20, 1.56)
  found = fit(logits, labels)
  assert found.steps[0] <= 2
  assert found.passes[0] <= 2.5


def test_back_ends_agree():
  logits, labels = draw(500, 6)
  weights = np.random.default_rng(0).random((3, 500))
  weights[1] *= labels < 3
  one, two = (
    temperature.fit_folds(logits, labels, weights, backend=backend)
    for backend in temperature.BACKENDS
  )
  for mine, other in zip(one, two):
    np.testing.assert_allclose(mine, other, rtol=3e-6, atol=2e-6)


def test_a_misspelt_back_end_is_told():
  with pytest.raises(errors.UsageError, match="Did you mean 'numba'"):
    fit(*draw(5, 2), backend='nmba')


@pytest.mark.parametrize('examples', [1, 63, 64, 65, 700])
def test_several_blocks_equal_one(monkeypatch, examples):
  logits, labels = draw(examples, 3)
  weights = np.random.default_rng(0).random((2, examples))
  inputs = likelihood.put(logits, labels, weights)
  whole = likelihood.cumulant_sums(inputs, np.float32(0.4))
  monkeypatch.setitem(likelihood._BLOCKS, 'cpu', 3 * 64)
  inputs = likelihood.put(logits, labels, weights)
  parts = likelihood.cumulant_sums(inputs, np.float32(0.4))
  np.testing.assert_allclose(whole, parts, rtol=1e-5, atol=1e-5)


def test_jit_equals_no_jit():
  logits, labels = draw(40, 3)
  weights = np.arange(80.0).reshape(2, 40)
  examples = likelihood.put(logits, labels, weights)
  compiled = jax.jit(likelihood.cumulant_sums)(examples, np.float32(0.4))
  with jax.disable_jit():
    plain = likelihood.cumulant_sums(examples, np.float32(0.4))
  np.testing.assert_allclose(compiled, plain, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize('far', [40.0, 1e-2, 900.0])
@pytest.mark.parametrize('backend', temperature.BACKENDS)
def test_folds_that_have_nothing_in_common(far, backend):
  logits, labels = draw(600, 4, 1.0)
  logits[300:] *= np.float32(far)
  keep = np.arange(600) < 300
  weights = np.stack([keep, ~keep, np.ones(600, bool), np.zeros(600, bool)])
  found = temperature.fit_folds(logits, labels, weights, backend=backend)
  for k in range(3):
    expected = exact_fit(logits, labels, weights[k])
    assert found.temperature[k] == pytest.approx(expected, rel=1e-5)
  assert found.bound_hit.tolist() == [False, False, False, True]
  assert found.temperature[3] == 1


@pytest.mark.parametrize('wrong', [0, 1, 30])
@pytest.mark.parametrize('backend', temperature.BACKENDS)
def test_a_start_that_misleads(wrong, backend):
  """The twentieth is all right, and so is the rest but for a few."""
  rng = np.random.default_rng(0)
  labels = rng.integers(0, 5, 20_000)
  logits = rng.normal(size=(20_000, 5)) * 0.1
  logits[np.arange(20_000), labels] += 4
  logits = logits.astype(np.float32)
  others = np.setdiff1d(np.arange(20_000), temperature._sample(20_000))
  labels[others[:wrong]] = (labels[others[:wrong]] + 1) % 5
  found = fit(logits, labels, backend=backend)
  check_sound(found)
  if not wrong:
    assert found.temperature[0] == np.float32(temperature.LOWEST)
    assert found.bound_hit[0]
    return
  expected = exact_fit(logits, labels, np.ones(20_000, bool))
  assert found.temperature[0] == pytest.approx(expected, rel=1e-5)
  assert found.converged[0]
  assert found.steps[0] < 15


@pytest.mark.parametrize('total', [0, 1, 1000, 2047, 2048, 9999, 50_000])
def test_the_sample_is_even_and_has_no_period(total):
  rows = temperature._sample(total)
  assert len(np.unique(rows)) == len(rows)
  if total < 2048:
    assert len(rows) == total
    return
  assert len(rows) == max(1024, round(0.05 * total))
  assert rows.max() < total
  for period in (2, 5, 10, 20):
    counts = np.bincount(rows % period, minlength=period)
    assert abs(counts / counts.mean() - 1).max() < 0.5


def test_folds_equal_fits_one_by_one():
  logits, labels = draw(400, 4)
  weights = np.random.default_rng(0).integers(0, 3, (6, 400)).astype(float)
  together = temperature.fit_folds(logits, labels, weights)
  for k, row in enumerate(weights):
    alone = fit(logits, labels, row)
    expected, _ = naive_fit(logits, labels, row)
    assert together.temperature[k] == pytest.approx(expected, rel=1e-4)
    assert alone.temperature[0] == pytest.approx(expected, rel=1e-4)


def test_masked_examples_equal_dropped_ones():
  logits, labels = draw(300, 4)
  keep = np.random.default_rng(1).random(300) < 0.5
  masked = fit(logits, labels, keep)
  dropped = fit(logits[keep], labels[keep])
  np.testing.assert_allclose(masked.temperature, dropped.temperature, rtol=1e-4)
  np.testing.assert_allclose(masked.nll, dropped.nll, rtol=1e-5)


@pytest.mark.parametrize(
  ('logits', 'labels', 'expected'),
  [
    # All correct: the colder the better.
    pytest.param([[3, 1], [0, 2]], [0, 1], 1e-3, id='all correct'),
    pytest.param([[1e-6, 0], [0, 1e-6]], [0, 1], 1e-3, id='tiny margins'),
    pytest.param([[5, 0, 0]], [0], 1e-3, id='one example'),
    # All wrong, two classes: the hotter the better.
    pytest.param([[3, 1], [0, 2]], [1, 0], 1e3, id='all wrong'),
    pytest.param([[3, 1]], [1], 1e3, id='one example, wrong'),
    pytest.param([[1e30, 0]], [1], 1e3, id='huge and wrong'),
    # The same at all temperatures.
    pytest.param([[2, 2], [2, 2]], [0, 1], 1.0, id='constant logits'),
    pytest.param([[1e30, 0], [0, 1e30]], [0, 1], 1.0, id='huge margins'),
    pytest.param([[1], [2], [3]], [0, 0, 0], 1.0, id='one class'),
    pytest.param(np.zeros((0, 4)), [], 1.0, id='no example'),
    # Nothing that a fit could count.
    pytest.param([[np.nan, 1]], [0], 1.0, id='NaN'),
    pytest.param([[INF, 1]], [0], 1.0, id='+inf'),
    pytest.param([[-INF, 1]], [0], 1.0, id='the label is ruled out'),
    pytest.param([[-INF, -INF]], [0], 1.0, id='all are ruled out'),
    pytest.param([[2, 1], [2, 1]], [-1, 2], 1.0, id='no such class'),
  ],
)
@pytest.mark.parametrize('backend', temperature.BACKENDS)
def test_without_a_best_temperature_a_bound_is_recorded(
  logits, labels, expected, backend
):
  logits = np.array(logits, np.float32)
  found = fit(logits, np.array(labels, np.int32), backend=backend)
  check_sound(found)
  assert found.bound_hit[0]
  assert found.temperature[0] == pytest.approx(expected, rel=1e-6)


def test_no_weight_at_all_leaves_the_logits_alone():
  logits, labels = draw(20, 3)
  found = fit(logits, labels, np.zeros(20))
  check_sound(found)
  assert found.temperature[0] == 1
  assert found.nll[0] == 0


def test_classes_that_are_ruled_out_equal_absent_ones():
  logits, labels = draw(200, 4)
  padded = np.pad(logits, ((0, 0), (2, 3)), constant_values=-INF)
  without, within = fit(logits, labels), fit(padded, labels + 2)
  np.testing.assert_allclose(within.temperature, without.temperature, rtol=1e-5)
  assert within.converged[0]


def test_unusable_rows_equal_dropped_ones():
  logits, labels = draw(200, 4)
  spoilt = logits.copy()
  spoilt[:3] = np.nan
  spoilt[3:6, 1] = INF
  spoilt[np.arange(6, 9), labels[6:9]] = -INF
  got, expected = fit(spoilt, labels), fit(logits[9:], labels[9:])
  np.testing.assert_allclose(got.temperature, expected.temperature, rtol=1e-5)
  np.testing.assert_allclose(got.nll, expected.nll, rtol=1e-5)


def test_a_shift_of_all_logits_changes_nothing():
  logits, labels = draw(300, 4)
  shift = np.random.default_rng(0).integers(-64, 64, (300, 1))
  moved = fit(logits + shift.astype(np.float32), labels)
  expected = fit(logits, labels).temperature
  np.testing.assert_allclose(moved.temperature, expected, rtol=1e-4)


@pytest.mark.parametrize('factor', [0.02, 0.5, 40.0])
def test_the_temperature_scales_with_the_logits(factor):
  logits, labels = draw(300, 4)
  scaled = fit(logits * np.float32(factor), labels).temperature
  expected = fit(logits, labels).temperature * factor
  np.testing.assert_allclose(scaled, expected, rtol=1e-4)


@pytest.mark.parametrize('backend', temperature.BACKENDS)
@settings(max_examples=80, deadline=None)
@given(
  hnp.arrays(
    np.float32,
    (6, 3),
    elements=st.one_of(
      st.floats(-1e3, 1e3, width=32),
      st.sampled_from([0.0, 1.0, -INF, INF, np.nan, 3e38, -3e38, 1e-38]),
    ),
  ),
  hnp.arrays(np.int32, 6, elements=st.integers(-1, 3)),
)
def test_never_diverges(backend, logits, labels):
  check_sound(fit(logits, labels, backend=backend))

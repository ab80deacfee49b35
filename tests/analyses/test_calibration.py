"""Folds, cross-fitting, the other objectives, and the losses themselves."""

import numpy as np
import pytest
from scipy import special
from sklearn import metrics

from overlap.analyses import calibration, softmax, temperature
from overlap.core import errors


def draw(examples=600, classes=5, scale=2.0, seed=0):
  rng = np.random.default_rng([examples, classes, seed])
  clean = rng.normal(size=(examples, classes)) * 2
  labels = (clean + rng.gumbel(size=clean.shape)).argmax(axis=1)
  return (scale * clean).astype(np.float32), labels


def ids_of(count):
  return [f'example/{i:05d}' for i in range(count)]


def test_folds_depend_on_nothing_but_the_id():
  ids = ids_of(500)
  folds = dict(zip(ids, calibration.folds_from_ids(ids)))
  order = np.random.default_rng(0).permutation(500)[:200]
  some = calibration.folds_from_ids([ids[i] for i in order])
  assert some.tolist() == [folds[ids[i]] for i in order]
  as_array = calibration.folds_from_ids(np.array(ids))
  assert as_array.tolist() == list(folds.values())


@pytest.mark.parametrize('num_folds', [2, 5, 7])
def test_folds_are_of_about_equal_size(num_folds):
  folds = calibration.folds_from_ids(ids_of(7000), num_folds)
  sizes = np.bincount(folds)
  assert len(sizes) == num_folds
  # Five standard deviations of a binomial count.
  expected = 7000 / num_folds
  assert abs(sizes - expected).max() < 5 * np.sqrt(expected)


def test_another_seed_gives_other_folds():
  one, two = (calibration.folds_from_ids(ids_of(1000), 5, s) for s in (0, 1))
  # By chance, a fifth agree.
  assert 0.1 < (one == two).mean() < 0.3


def test_no_ids_no_folds():
  assert calibration.folds_from_ids([]).shape == (0,)


def test_fit_temperature_gives_scalars_and_takes_weights():
  logits, labels = draw()
  fit = calibration.fit_temperature(logits, labels)
  assert all(np.ndim(field) == 0 for field in fit)
  assert fit.temperature == pytest.approx(2, rel=0.2)
  weights = np.arange(600) % 3
  weighted = calibration.fit_temperature(logits, labels, weights)
  repeated = calibration.fit_temperature(
    np.repeat(logits, weights, axis=0), np.repeat(labels, weights)
  )
  assert weighted.temperature == pytest.approx(repeated.temperature, rel=1e-4)


def test_cross_fitting_never_sees_the_fold_it_is_applied_to():
  logits, labels = draw()
  folds = calibration.folds_from_ids(ids_of(600))
  found = calibration.cross_fit(logits, labels, folds)
  assert found.temperatures.shape == (5,)
  for k in range(5):
    others = folds != k
    alone = calibration.fit_temperature(logits[others], labels[others])
    assert found.temperatures[k] == pytest.approx(alone.temperature, rel=1e-4)
    np.testing.assert_array_equal(
      found.per_example[~others], found.temperatures[k]
    )
  # Whatever its own labels are, a fold's temperature stays, to within that
  # to which it is found: folds share their passes.
  mixed = np.where(folds == 2, (labels + 1) % 5, labels)
  again = calibration.cross_fit(logits, mixed, folds)
  assert again.temperatures[2] == pytest.approx(
    found.temperatures[2], rel=2 * temperature.TOLERANCE
  )
  assert (np.delete(again.temperatures, 2) > 1.2 * found.temperatures[0]).all()


def test_cross_fitting_one_example_leaves_its_logits_alone():
  found = calibration.cross_fit(np.ones((1, 3)), np.array([0]), np.array([0]))
  assert found.per_example.tolist() == [1]
  assert found.fits.bound_hit.all()


@pytest.mark.parametrize('objective', list(calibration.OBJECTIVES))
def test_every_objective_fills_in_every_example(objective):
  logits, labels = draw()
  folds = calibration.folds_from_ids(ids_of(600), 3)
  found = calibration.calibrate(
    logits, labels, folds, num_folds=3, objective=objective
  )
  assert found.temperatures.shape == (3,)
  assert all(field.shape == (3,) for field in found.fits)
  np.testing.assert_array_equal(found.per_example, found.temperatures[folds])
  # Drawn at 2; the calibration error is a blunt objective.
  np.testing.assert_allclose(found.temperatures, 2, rtol=0.3)
  assert found.fits.converged.all()
  if objective in ('all', 'grid'):
    assert len(set(found.temperatures)) == 1


@pytest.mark.parametrize('objective', ['nll', 'grid'])
def test_many_models_in_one_call_equal_one_by_one(objective):
  drawn = [draw(scale=scale)[0] for scale in (0.02, 1.0, 5.0)]
  labels = draw()[1]
  folds = calibration.folds_from_ids(ids_of(600), 3)
  options = {'num_folds': 3, 'objective': objective}
  found = calibration.calibrate_all(iter(drawn), labels, folds, **options)
  assert len(found) == 3
  for logits, got in zip(drawn, found):
    alone = calibration.calibrate(logits, labels, folds, **options)
    np.testing.assert_array_equal(got.per_example, alone.per_example)
  assert calibration.calibrate_all([], labels, folds) == []


def test_a_misspelt_objective_is_told():
  with pytest.raises(errors.UsageError, match="Did you mean 'ece_sweep'"):
    calibration.calibrate(*draw(), np.zeros(600, int), objective='ece_swep')


@pytest.mark.parametrize('scale', [0.005, 0.031, 0.22, 1.0, 1.74, 9.9, 30.0])
def test_the_grids_best_is_the_best_of_all_of_it(scale):
  logits, labels = draw(scale=scale)
  grid = [i / 100 for i in range(1, 10)] + [i / 10 for i in range(1, 101)]
  np.testing.assert_allclose(calibration.GRID, grid)
  losses = [calibration.nll(logits, labels, t).mean() for t in grid]
  best = int(np.argmin(losses))
  fit = calibration.fit_grid(logits, labels)
  assert fit.temperature == np.float32(grid[best])
  assert fit.nll == pytest.approx(losses[best], rel=1e-5)
  assert fit.bound_hit == (best in (0, len(grid) - 1))


def test_least_calibration_error_is_no_more_than_around_it():
  logits, labels = draw(2000, 4, 3.0)
  keep = np.ones((1, 2000), bool)
  fit = calibration.fit_ece_sweep(logits, labels, keep)
  correct = logits.argmax(axis=1) == labels

  def error(t):
    return calibration.ece_sweep(calibration.confidence(logits, t), correct)

  best = error(fit.temperature[0])
  assert best <= error(float(calibration.fit_temperature(logits, labels)[0]))
  assert best < error(1.0) / 3
  assert best <= min(error(t) for t in np.geomspace(1, 9, 12)) + 0.003


@pytest.mark.parametrize(
  ('logits', 'labels'),
  [([[3.0, 1.0]] * 4, [0] * 4), ([[1.0, 1.0]] * 4, [0, 1, 0, 1]), ([], [])],
)
@pytest.mark.parametrize('objective', list(calibration.OBJECTIVES))
def test_awkward_examples_end_with_a_bound_hit(objective, logits, labels):
  logits = np.array(logits, np.float32).reshape(-1, 2)
  labels = np.array(labels, int)
  found = calibration.calibrate(
    logits, labels, np.arange(len(labels)) % 5, objective=objective
  )
  assert np.isfinite(found.temperatures).all()
  assert ((found.temperatures > 9e-4) & (found.temperatures < 1.1e3)).all()
  assert found.fits.bound_hit.any()


@pytest.mark.parametrize('shape', [(0, 3), (1, 1), (1, 4), (37, 10)])
def test_losses_and_confidences_equal_scipys(shape, monkeypatch):
  monkeypatch.setattr(softmax, '_BLOCK', 8 * shape[1])
  rng = np.random.default_rng(0)
  logits = rng.normal(size=shape).astype(np.float32) * 30
  labels = rng.integers(0, shape[1], shape[0])
  for t in (1.0, 0.01, rng.random(shape[0]) + 0.1):
    scaled = logits.astype(np.float64) / np.reshape(t, (-1, 1))
    log_p = special.log_softmax(scaled, axis=1) if len(scaled) else scaled
    expected = -log_p[np.arange(shape[0]), labels]
    got = calibration.nll(logits, labels, t)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)
    got = calibration.confidence(logits, t)
    np.testing.assert_allclose(got, np.exp(log_p).max(axis=1, initial=0))


def test_the_mean_loss_is_sklearns_log_loss():
  logits, labels = draw(300, 4)
  expected = metrics.log_loss(
    labels, special.softmax(logits.astype(np.float64), axis=1), labels=range(4)
  )
  assert calibration.nll(logits, labels).mean() == pytest.approx(expected)


def test_losses_of_rows_that_are_not_finite():
  inf, nan = np.inf, np.nan
  logits = np.array([[0, -inf], [-inf, 0], [nan, 0], [inf, 0], [-inf, -inf]])
  labels = np.zeros(5, int)
  got = calibration.nll(logits, labels)
  np.testing.assert_array_equal(got, [0, inf, nan, nan, nan])
  got = calibration.confidence(logits)
  np.testing.assert_array_equal(got, [1, 1, nan, nan, nan])

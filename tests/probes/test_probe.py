"""Probes against scikit-learn and against naive restatements."""

import dataclasses

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from overlap import errors
from overlap.probes import descent, probe, solve


def fit(features, labels, **options):
  """A probe's `Fit`, with parameters for raw features."""
  found = probe.fit(
    features, labels, **{'normalisation': 'standardise'} | options
  )
  return dataclasses.replace(found.fit, params=found.raw_params())


def make_data(n, d, num_classes, seed=0, noise=1.0, weights=None):
  """Gaussian classes; dimensions differ in place and in scale."""
  rng = np.random.default_rng(seed)
  centres = rng.normal(size=(num_classes, d))
  labels = rng.choice(num_classes, size=n, p=weights)
  labels[: min(n, num_classes)] = np.arange(min(n, num_classes))
  features = centres[labels] + noise * rng.normal(size=(n, d))
  features = features * 10 ** rng.uniform(-2, 2, d) + rng.normal(size=d)
  return features.astype(np.float32), labels.astype(np.int32)


def moments(features):
  features = features.astype(np.float64)
  std = features.std(axis=0)
  return features.mean(axis=0), np.where(std > 0, std, 1.0)


def objective(params, features, labels, l2):
  """The documented objective in float64, from parameters for raw features."""
  mean, std = moments(features)
  kernel = params['kernel'].astype(np.float64)
  bias = params['bias'].astype(np.float64) + mean @ kernel
  weights = kernel * std[:, None]
  logits = (features - mean) / std @ weights + bias
  logits -= logits.max(axis=1, keepdims=True)
  log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
  cross_entropy = -log_probs[np.arange(len(labels)), labels].mean()
  return cross_entropy + l2 / 2 * np.sum(weights**2)


def sklearn_objective(features, labels, l2):
  mean, std = moments(features)
  classes = len(np.unique(labels))
  n = len(labels) if classes > 2 else len(labels) / 2
  fitted = LogisticRegression(
    C=1 / (n * l2), solver='newton-cholesky', tol=1e-10, max_iter=1000
  ).fit((features.astype(np.float64) - mean) / std, labels)
  weights, bias = fitted.coef_.T, fitted.intercept_
  if classes == 2:
    weights, bias = np.hstack([-weights, weights]) / 2, np.r_[-bias, bias] / 2
  kernel = weights / std[:, None]
  params = {'kernel': kernel, 'bias': bias - mean @ kernel}
  return objective(params, features, labels, l2)


@pytest.mark.parametrize('l2', [1e-4, 1e-2, 1.0])
@pytest.mark.parametrize(
  ('n', 'd', 'num_classes', 'noise', 'weights'),
  [
    (60, 5, 3, 1.0, None),
    (200, 16, 10, 2.0, None),
    (40, 60, 4, 1.0, None),
    (300, 1, 3, 1.0, None),
    (150, 6, 2, 1.0, None),
    (300, 8, 3, 2.0, [0.96, 0.03, 0.01]),
    (120, 8, 4, 0.01, None),
  ],
  ids=['small', 'classes', 'wide', 'narrow', 'two', 'imbalanced', 'separable'],
)
def test_reaches_the_loss_of_scikit_learn(
  n, d, num_classes, noise, weights, l2
):
  features, labels = make_data(n, d, num_classes, noise=noise, weights=weights)
  found = fit(features, labels, num_classes=num_classes, l2=l2, tolerance=1e-6)
  assert found.converged
  expected = sklearn_objective(features, labels, l2)
  assert found.loss == pytest.approx(expected, rel=1e-5)
  assert objective(found.params, features, labels, l2) == pytest.approx(
    expected, rel=1e-5
  )


def test_gradient_norm_is_that_of_the_documented_objective():
  features, labels = make_data(60, 5, 3)
  found = fit(features, labels, num_classes=3, l2=0.01, max_iterations=2)
  mean, std = moments(features)
  kernel = found.params['kernel'].astype(np.float64)
  bias = found.params['bias'] + mean @ kernel
  weights, standardised = kernel * std[:, None], (features - mean) / std
  exponentials = np.exp(standardised @ weights + bias)
  probs = exponentials / exponentials.sum(axis=1, keepdims=True)
  error = (probs - np.eye(3)[labels]) / len(labels)
  expected = np.sqrt(
    np.sum((standardised.T @ error + 0.01 * weights) ** 2)
    + np.sum(error.sum(axis=0) ** 2)
  )
  assert found.grad_norm == pytest.approx(expected, rel=1e-4)


def test_shift_and_scale_of_features_leave_the_predictions():
  features, labels = make_data(60, 5, 3)
  moved = features * 7 + 3
  one, other = (
    fit(x, labels, num_classes=3, l2=1e-2) for x in (features, moved)
  )
  np.testing.assert_allclose(
    features @ one.params['kernel'] + one.params['bias'],
    moved @ other.params['kernel'] + other.params['bias'],
    atol=2e-3,
  )


def test_constant_dimensions_weigh_nothing():
  features, labels = make_data(60, 5, 3)
  columns = np.array([[0.0, 0.1, 1e6, -1e-20]], np.float32)
  wider = np.hstack([features, np.repeat(columns, 60, axis=0)])
  plain, found = (
    fit(x, labels, num_classes=3, l2=1e-3) for x in (features, wider)
  )
  assert np.all(found.params['kernel'][5:] == 0)
  np.testing.assert_allclose(
    found.params['kernel'][:5],
    plain.params['kernel'],
    rtol=1e-2,
    atol=1e-3 * np.abs(plain.params['kernel']).max(),
  )
  assert found.loss == pytest.approx(plain.loss, rel=1e-5)


@pytest.mark.parametrize('l2', [0.0, 1e-3])
def test_constant_features_give_the_class_frequencies(l2):
  labels = np.array([0] * 6 + [1] * 3 + [2])
  found = fit(
    np.full((10, 4), 0.1), labels, num_classes=3, l2=l2, tolerance=1e-6
  )
  assert found.converged
  assert np.all(found.params['kernel'] == 0)
  probs = np.exp(found.params['bias']) / np.exp(found.params['bias']).sum()
  np.testing.assert_allclose(probs, [0.6, 0.3, 0.1], atol=1e-5)


@pytest.mark.parametrize('n', [1, 20])
def test_one_class_alone_is_predicted(n):
  features = np.random.default_rng(0).normal(size=(n, 3))
  found = fit(features, np.full(n, 2), num_classes=5, l2=1e-3)
  logits = features @ found.params['kernel'] + found.params['bias']
  assert found.converged
  assert np.all(np.isfinite(logits))
  assert np.all(logits.argmax(axis=1) == 2)
  assert found.loss < 1e-4


def test_an_absent_class_is_never_predicted():
  features, labels = make_data(60, 5, 3)
  found = fit(features, labels, num_classes=5, l2=1e-3)
  logits = features @ found.params['kernel'] + found.params['bias']
  assert found.converged
  assert logits[:, 3:].max() < logits[:, :3].max(axis=1).min()


def test_separable_without_a_penalty_ends():
  features, labels = make_data(60, 5, 3, noise=0.01)
  found = fit(features, labels, num_classes=3, l2=0.0, tolerance=1e-5)
  logits = features @ found.params['kernel'] + found.params['bias']
  assert np.all(logits.argmax(axis=1) == labels)
  assert found.loss < 1e-3


def test_not_converging_is_recorded_and_logged(caplog):
  features, labels = make_data(60, 5, 3)
  found = fit(features, labels, num_classes=3, l2=1e-3, max_iterations=3)
  assert not found.converged
  assert found.steps == 3
  assert 'stopped after 3 steps' in caplog.text


def test_no_iterations_leave_the_class_frequencies():
  features, labels = make_data(60, 5, 3)
  found = fit(features, labels, num_classes=3, l2=1e-3, max_iterations=0)
  assert not found.params['kernel'].any()
  shares = np.bincount(labels) / len(labels)
  assert found.loss == pytest.approx(-np.sum(shares * np.log(shares)))
  np.testing.assert_allclose(
    found.params['bias'] - found.params['bias'].mean(),
    np.log(shares) - np.log(shares).mean(),
    atol=1e-5,
  )


def test_unreachable_tolerance_ends_early():
  features, labels = make_data(60, 5, 3)
  found = fit(
    features, labels, num_classes=3, l2=1e-2, max_iterations=10**6,
    tolerance=0.0,
  )  # fmt: skip
  assert not found.converged
  assert found.steps < 1000
  assert found.loss == pytest.approx(
    sklearn_objective(features, labels, 1e-2), rel=1e-5
  )


def test_data_are_arguments_of_the_compiled_solver():
  # Closed-over arrays would be compiled in, and each data set compile anew.
  sizes = []
  for seed in range(3):
    features, labels = make_data(60, 5, 3, seed=seed)
    fit(features, labels, num_classes=3, l2=10**-seed)
    sizes.append(solve._compiled(descent.descend, 'count')._cache_size())
  assert sizes[0] == sizes[2]


GOOD = (np.zeros((4, 2)), np.array([0, 1, 2, 0]))


@pytest.mark.parametrize(
  ('features', 'labels', 'match'),
  [
    (np.array([[0, 1], [0, np.nan]]), np.array([0, 1]), 'row 1'),
    (np.array([[np.inf, 1], [0, 0]]), np.array([0, 1]), 'row 0'),
    (np.array([[1e300, 1], [0, 0]]), np.array([0, 1]), 'finite'),
    (np.zeros((0, 2)), np.zeros(0, int), 'neither 0'),
    (np.zeros((2, 0)), np.zeros(2, int), 'neither 0'),
    (np.zeros(4), np.zeros(4, int), r'\[n, d\]'),
    (GOOD[0], GOOD[1][:3], 'one for each of 4'),
    (GOOD[0], GOOD[1] + 1, r'0 … 2, got 1 … 3'),
    (GOOD[0], GOOD[1] - 1, r'0 … 2, got -1 … 1'),
    (GOOD[0], GOOD[1] + 0.5, 'integers'),
  ],
)
def test_faulty_data(features, labels, match):
  with pytest.raises(errors.DataError, match=match):
    fit(features, labels, num_classes=3, l2=1.0)


@pytest.mark.parametrize(
  ('changes', 'match'),
  [
    ({'l2': -1e-3}, 'l2'),
    ({'l2': float('nan')}, 'l2'),
    ({'max_iterations': -1}, 'max_iterations'),
    ({'tolerance': -1.0}, 'tolerance'),
    ({'num_classes': 1}, 'num_classes'),
  ],
)
def test_faulty_settings(changes, match):
  with pytest.raises(errors.UsageError, match=match):
    fit(*GOOD, **({'num_classes': 3, 'l2': 1.0} | changes))

"""Probes against scikit-learn and against naive restatements."""

import dataclasses

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from overlap.core import errors
from overlap.probes import descent, prepare, probe, solve


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


@pytest.mark.slow_except(
  *(f'{data}-{l2}' for data in ('wide', 'two') for l2 in (1e-4, 1e-2, 1.0))
)
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


@pytest.mark.slow_except('1')
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


def sklearn_binary(features, labels, l2):
  """Weights of one class's problem on features as given."""
  return LogisticRegression(
    C=1 / (len(labels) * l2), solver='newton-cholesky', tol=1e-10, max_iter=1000
  ).fit(features.astype(np.float64), labels)


def test_several_labels_are_a_problem_a_class():
  features, _ = make_data(200, 6, 3)
  rng = np.random.default_rng(1)
  labels = (rng.normal(size=(200, 4)) > [0, 1, -1, 2]).astype(int)
  labels[:, 1] |= features[:, 0] > np.median(features[:, 0])
  l2 = (1e-3, 1e-2, 1e-1, 1.0)
  found = probe.fit(features, labels, num_classes=4, l2=l2, tolerance=1e-7)
  assert found.fit.converged
  assert found.fit.l2 == l2
  total = 0.0
  x = found.normalisation(features)
  for c in range(4):
    theirs = sklearn_binary(x, labels[:, c], l2[c])
    np.testing.assert_allclose(
      found.logits(features)[:, c], theirs.decision_function(x), atol=2e-3
    )
    z = np.where(labels[:, c] == 1, -1, 1) * theirs.decision_function(x)
    total += np.log1p(np.exp(z)).mean() + l2[c] / 2 * np.sum(theirs.coef_**2)
  assert found.fit.loss == pytest.approx(total, rel=1e-6)


def test_several_labels_of_one_class_and_of_none():
  features, _ = make_data(50, 3, 3)
  labels = np.zeros((50, 2), int)
  labels[:, 1] = 1
  found = probe.fit(features, labels, num_classes=2, l2=1e-2)
  logits = found.logits(features)
  assert found.fit.converged
  assert (logits[:, 0] < -3).all()
  assert (logits[:, 1] > 3).all()
  alone = probe.fit(features, labels[:, :1], num_classes=1, l2=1e-2)
  assert (alone.logits(features) < -3).all()


@pytest.mark.parametrize(
  'kind', ['l2_standardise', 'standardise', 'l2', 'none']
)
def test_each_normalisation_has_the_optimum_of_scikit_learn(kind):
  features, labels = make_data(150, 6, 3)
  features /= features.std()
  found = probe.fit(
    features, labels, num_classes=3, l2=1e-3, normalisation=kind
  )
  x = found.normalisation(features)
  theirs = LogisticRegression(
    C=1 / (150 * 1e-3), solver='newton-cholesky', tol=1e-10, max_iter=1000
  ).fit(x.astype(np.float64), labels)
  z = theirs.decision_function(x)
  own = z[np.arange(150), labels]
  expected = np.mean(np.log(np.exp(z).sum(axis=1)) - own)
  expected += 1e-3 / 2 * np.sum(theirs.coef_**2)
  assert found.fit.loss == pytest.approx(expected, rel=1e-5)
  ours = found.logits(features)
  assert np.mean(ours.argmax(axis=1) != z.argmax(axis=1)) <= 0.01
  if kind.startswith('l2'):
    with pytest.raises(errors.UsageError, match='standardise'):
      found.raw_params()
  else:
    raw = found.raw_params()
    np.testing.assert_allclose(
      features @ raw['kernel'] + raw['bias'], ours, atol=2e-3
    )


def test_twice_the_same_dimensions_share_their_weight():
  features, labels = make_data(60, 5, 3)
  plain = fit(features, labels, num_classes=3, l2=2e-3, tolerance=1e-7)
  twice = fit(
    np.hstack([features, features]), labels, num_classes=3, l2=4e-3,
    tolerance=1e-7,
  )  # fmt: skip
  # Half the weight in each: the same logits at half the penalty.
  assert twice.converged
  assert twice.loss == pytest.approx(plain.loss, rel=1e-5)
  np.testing.assert_allclose(
    twice.params['kernel'][:5], twice.params['kernel'][5:],
    atol=1e-3 * np.abs(twice.params['kernel']).max(),
  )  # fmt: skip


def test_each_example_twice_changes_nothing():
  features, labels = make_data(60, 5, 3)
  one = fit(features, labels, num_classes=3, l2=1e-2)
  two = fit(
    np.repeat(features, 2, axis=0), np.repeat(labels, 2), num_classes=3, l2=1e-2
  )
  assert two.loss == pytest.approx(one.loss, rel=2e-6)


@pytest.mark.slow_except('True')
@pytest.mark.parametrize('several', [False, True])
def test_blocks_in_memory_and_streamed_sum_to_the_whole(monkeypatch, several):
  features, labels = make_data(101, 6, 3)
  labels = np.eye(3, dtype=int)[labels] if several else labels
  options = dict(num_classes=3, l2=1e-2, tolerance=1e-7)
  whole = probe.fit(features, labels, **options)
  monkeypatch.setattr(prepare, '_BLOCK_NUMBERS', 150)
  monkeypatch.setattr(solve, '_BLOCK_NUMBERS', 150)
  parts = probe.fit(features, labels, **options)
  problem = probe.prepared(
    features, labels, num_classes=3, normalisation='none', stream=False
  )
  assert len(problem.data.features) > 2
  streamed = probe.fit(features, labels, **options, stream=True)
  for other in (parts, streamed):
    assert other.fit.converged
    assert other.fit.loss == pytest.approx(whole.fit.loss, rel=1e-6)


def test_a_path_is_its_strengths_one_by_one():
  features, labels = make_data(120, 8, 4, noise=2.0)
  strengths = (1e-2, 1e5, 1e-4, 1.0, 1e-3, 1e-1, 10.0)
  path = probe.fit_path(features, labels, num_classes=4, strengths=strengths)
  assert [one.fit.l2 for one in path] == list(strengths)
  for one in path:
    alone = probe.fit(features, labels, num_classes=4, l2=one.fit.l2)
    assert one.fit.converged
    assert one.fit.loss == pytest.approx(alone.fit.loss, rel=2e-6)


def test_the_bound_is_above_the_excess():
  features, labels = make_data(200, 16, 10, noise=2.0)
  for l2 in (1e-4, 1e-2):
    expected = sklearn_objective(features, labels, l2)
    for steps in (3, 8, 15):
      found = fit(features, labels, num_classes=10, l2=l2, max_iterations=steps)
      above = objective(found.params, features, labels, l2) - expected
      assert above <= found.excess * (1 + 1e-3) + 1e-6 * expected


def test_other_features_are_refused_by_a_probe():
  features, labels = make_data(60, 5, 3)
  found = probe.fit(features, labels, num_classes=3, l2=1e-2)
  with pytest.raises(errors.DataError, match=r'\[n, 5\]'):
    found.logits(features[:, 1:])
  with pytest.raises(errors.DataError, match=r'given.*row 2'):
    found.logits(np.where(np.arange(60)[:, None] == 2, np.nan, features))
  with pytest.raises(errors.UsageError, match='one for each of 3'):
    probe.fit(
      features, np.eye(3, dtype=int)[labels], num_classes=3, l2=(1.0, 2.0)
    )
  with pytest.raises(errors.UsageError, match='standardize'):
    probe.fit(
      features, labels, num_classes=3, l2=1.0, normalisation='standardize'
    )


@pytest.mark.parametrize('l2', [1e-5, 1e-3, 1e-1])
@pytest.mark.parametrize('weights', [None, [0.9, 0.06, 0.02, 0.02]])
def test_is_as_accurate_as_scikit_learn(l2, weights):
  features, labels = make_data(10_400, 12, 4, noise=3.0, weights=weights)
  train, test = slice(0, 400), slice(400, None)
  found = probe.fit(
    features[train], labels[train], num_classes=4, l2=l2, tolerance=1e-8
  )
  normal = found.normalisation
  theirs = LogisticRegression(
    C=1 / (400 * l2), solver='newton-cholesky', tol=1e-10, max_iter=1000
  ).fit(normal(features[train]).astype(np.float64), labels[train])
  ours = found.logits(features[test]).argmax(axis=1) == labels[test]
  expected = theirs.score(
    normal(features[test]).astype(np.float64), labels[test]
  )
  # To a hundredth of a point.
  assert ours.mean() == pytest.approx(expected, abs=1.01e-4)

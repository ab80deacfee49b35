"""Similarities of pairs against naive restatements of their definitions."""

import itertools

import numpy as np
import pytest
from sklearn import cross_decomposition

from overlap.analyses.similarity import (
  grams,
  options,
  pairwise,
  representation,
)
from overlap.analyses.similarity.options import Similarity
from overlap.core import errors

EXAMPLES = 90
CKA_ALONE = Similarity(variance=0.0, neighbours=0)


def draw(examples=EXAMPLES, widths=(12, 7, 20), seed=0):
  """Representations that share some of what they see, far from centred."""
  rng = np.random.default_rng(seed)
  seen = rng.normal(size=(examples, 5))
  return [
    (
      seen @ rng.normal(size=(5, width))
      + 0.5 * rng.normal(size=(examples, width))
      + rng.normal(size=width)
    ).astype(np.float32)
    for width in widths
  ]


def unit(x):
  x = np.asarray(x, np.float64)
  lengths = np.linalg.norm(x, axis=1, keepdims=True)
  return x / np.where(lengths > 0, lengths, 1)


def standard(x):
  x = np.asarray(x, np.float64)
  std = x.std(axis=0)
  return (x - x.mean(axis=0)) / np.where(std > 0, std, np.inf)


NORMALISE = {
  'l2': unit,
  'standardise': standard,
  'both': lambda x: standard(unit(x)),
  'none': lambda x: np.asarray(x, np.float64),
}


def naive_hsic(k, other):
  """The plug-in estimator, n x n."""
  n = len(k)
  centre = np.eye(n) - 1 / n
  return np.trace(k @ centre @ other @ centre) / (n - 1) ** 2


def naive_unbiased(k, other):
  """Song et al. (2012), eq. 5, n x n."""
  n = len(k)
  k, other = k - np.diag(np.diag(k)), other - np.diag(np.diag(other))
  one = np.ones(n)
  return (
    np.trace(k @ other)
    + (one @ k @ one) * (one @ other @ one) / ((n - 1) * (n - 2))
    - 2 / (n - 2) * (one @ k @ other @ one)
  ) / (n * (n - 3))


def naive_cka(x, y, hsic=naive_hsic):
  k, other = x @ x.T, y @ y.T
  return hsic(k, other) / np.sqrt(hsic(k, k) * hsic(other, other))


def near(count=EXAMPLES):
  return np.arange(count)


def every(count):
  return list(itertools.combinations(range(count), 2))


@pytest.mark.parametrize('normalise', options.NORMALISATIONS)
@pytest.mark.parametrize('backend', ['blas', 'xla'])
@pytest.mark.parametrize('block', [7, 32, 4096])
def test_cka_is_the_naive_one(monkeypatch, normalise, backend, block):
  monkeypatch.setattr(representation, 'BLOCK', block)
  monkeypatch.setattr(grams, 'ENTRIES', 400)
  features = draw()
  asked = Similarity(normalise=normalise, variance=0.0, neighbours=0)
  found = pairwise.measure_pairwise(
    features, every(3), near(0), asked, backend=backend
  )
  whole = [NORMALISE[normalise](x) for x in features]
  for row, (one, two) in enumerate(every(3)):
    expected = naive_cka(whole[one], whole[two])
    assert found.cka[row] == pytest.approx(expected, abs=3e-6)
    expected = naive_cka(whole[one], whole[two], naive_unbiased)
    assert found.cka_debiased[row] == pytest.approx(expected, abs=3e-6)
  assert np.isnan(found.cca).all()
  assert np.isnan(found.mutual_knn).all()


@pytest.mark.parametrize(
  ('examples', 'widths'), [(4, (3, 9)), (5, (40, 2)), (20, (64, 64))]
)
def test_more_dimensions_than_examples(examples, widths):
  x, y = draw(examples, widths)
  got = pairwise.linear_cka(x, y)
  assert got == pytest.approx(naive_cka(unit(x), unit(y)), abs=3e-6)
  got = pairwise.linear_cka(x, y, debiased=True)
  expected = naive_cka(unit(x), unit(y), naive_unbiased)
  assert got == pytest.approx(expected, abs=1e-4)


def test_what_is_unrelated_is_0_debiased_alone():
  rng = np.random.default_rng(3)
  x, y = rng.normal(size=(2, 60, 200)).astype(np.float32)
  assert pairwise.linear_cka(x, y) > 0.6
  assert abs(pairwise.linear_cka(x, y, debiased=True)) < 0.1


@pytest.mark.parametrize('debiased', [False, True])
def test_rotations_and_scales_change_nothing(debiased):
  x, y, _ = draw()
  turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(12, 12)))
  turned = (x @ turn).astype(np.float32)
  expected = pairwise.linear_cka(x, y, debiased=debiased)
  got = pairwise.linear_cka(turned, y, debiased=debiased)
  assert got == pytest.approx(expected, abs=2e-6)
  for normalise in options.NORMALISATIONS:
    expected, *others = (
      pairwise.linear_cka(scale * x, y, debiased=debiased, normalise=normalise)
      for scale in (np.float32(1), np.float32(1e-25), np.float32(1e25))
    )
    assert others == pytest.approx([expected] * 2, abs=2e-6)


def test_a_shift_changes_nothing_without_lengths():
  x, y, _ = draw()
  expected = pairwise.linear_cka(x, y, normalise='none')
  got = pairwise.linear_cka(x + np.float32(30), y, normalise='none')
  assert got == pytest.approx(expected, abs=1e-5)


def test_equal_features_are_wholly_similar():
  x, *_ = draw()
  found = pairwise.measure_pairwise(
    [x, x.copy()], [(0, 1)], near(), Similarity()
  )
  for value in found[:4]:
    assert value == pytest.approx([1], abs=2e-6)


def test_cca_is_that_of_scikit_learn():
  x, y, _ = draw(300)
  asked = Similarity(normalise='none', variance=0.95, neighbours=0)
  found = pairwise.measure_pairwise([x, y], [(0, 1)], near(0), asked)
  cut = []
  for features in (x.astype(np.float64), y.astype(np.float64)):
    centred = features - features.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    share = np.cumsum(s**2) / np.sum(s**2)
    count = int(np.argmax(share >= 0.95)) + 1
    cut.append(u[:, :count] * s[:count])
  assert found.directions.tolist() == [[c.shape[1] for c in cut]]
  few = min(c.shape[1] for c in cut)
  scores = cross_decomposition.CCA(few, max_iter=10_000, tol=1e-12)
  one, two = scores.fit_transform(*cut)
  correlations = [np.corrcoef(one[:, i], two[:, i])[0, 1] for i in range(few)]
  assert found.cca[0] == pytest.approx(np.mean(correlations), abs=1e-4)


def test_cca_ignores_invertible_maps_that_keep_the_directions():
  x, y, _ = draw(200)
  asked = Similarity(normalise='none', variance=0.999999, neighbours=0)
  scaled = x * np.linspace(1, 2, x.shape[1], dtype=np.float32)
  one, other = (
    pairwise.measure_pairwise([z, y], [(0, 1)], near(0), asked).cca[0]
    for z in (x, scaled)
  )
  assert one == pytest.approx(other, abs=1e-4)


def test_cca_is_empty_where_it_would_be_1_for_anything():
  rng = np.random.default_rng(0)
  x, y = rng.normal(size=(2, 20, 30)).astype(np.float32)
  found = pairwise.measure_pairwise([x, y], [(0, 1)], near(20), Similarity())
  assert np.isnan(found.cca[0])
  assert found.directions.min() > 9
  assert np.isfinite(found.cka[0])


def test_constant_features_have_no_similarity():
  x, y, _ = draw()
  same = np.tile(y[:1], (EXAMPLES, 1))
  # Of the same direction each, which is constant when lengths are 1.
  ray = same * np.linspace(1, 2, EXAMPLES, dtype=np.float32)[:, np.newaxis]
  zero = np.zeros_like(y)
  found = pairwise.measure_pairwise(
    [x, same, ray, zero, y], every(5), near(), Similarity()
  )
  for row, pair in enumerate(every(5)):
    for value in found[:4]:
      assert np.isfinite(value[row]) == (pair == (0, 4))
  assert np.isfinite(pairwise.linear_cka(x, ray, normalise='none'))
  for normalise in options.NORMALISATIONS:
    assert np.isnan(pairwise.linear_cka(x, same, normalise=normalise))


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_features_that_are_no_numbers_have_no_similarity(bad):
  features = draw()
  features[1][5, 2] = bad
  found = pairwise.measure_pairwise(features, every(3), near(), Similarity())
  for value in found[:4]:
    assert np.isfinite(value).tolist() == [False, True, False]
  assert found.cka[1] == pytest.approx(
    pairwise.linear_cka(features[0], features[2])
  )


@pytest.mark.parametrize('examples', [0, 1])
def test_too_few_examples(examples):
  features = draw(examples)
  found = pairwise.measure_pairwise(
    features, every(3), near(examples), Similarity()
  )
  for value in found[:4]:
    assert np.isnan(value).all()
  assert not found.directions.any()


@pytest.mark.parametrize('examples', [2, 3])
def test_too_few_examples_for_an_unbiased_estimate(examples):
  x, y, _ = draw(examples)
  assert np.isfinite(pairwise.linear_cka(x, y))
  assert np.isnan(pairwise.linear_cka(x, y, debiased=True))


def test_one_vector_of_zeros_is_no_fault():
  x, y, _ = draw()
  x[3] = 0
  got = pairwise.linear_cka(x, y)
  assert got == pytest.approx(naive_cka(unit(x), unit(y)), abs=3e-6)


def test_a_nearly_constant_representation_keeps_its_digits():
  rng = np.random.default_rng(0)
  small, y, _ = draw()
  x = (100 + 0.1 * rng.normal(size=12) + 0.1 * small).astype(np.float32)
  got = pairwise.linear_cka(x, y)
  assert got == pytest.approx(naive_cka(unit(x), unit(y)), abs=1e-4)


def test_of_no_pairs():
  found = pairwise.measure_pairwise(draw(), [], near(), Similarity())
  assert [len(value) for value in found] == [0] * 5


def test_pairs_do_not_depend_on_one_another():
  features = draw()
  whole = pairwise.measure_pairwise(features, every(3), near(), Similarity())
  alone = pairwise.measure_pairwise(features, [(0, 2)], near(), Similarity())
  for all_of_them, one in zip(whole, alone):
    np.testing.assert_allclose(all_of_them[1:2], one, atol=1e-6)


def test_each_models_own_product_is_made_once(monkeypatch):
  monkeypatch.setattr(representation, 'BLOCK', 50)
  monkeypatch.setattr(grams, 'ENTRIES', 20**2)
  count = {}
  add = pairwise.products._add_blas

  def counting(total, one, two):
    key = 'own' if one is two else 'pair'
    count[key] = count.get(key, 0) + 1
    return add(total, one, two)

  monkeypatch.setattr(pairwise.products, '_add_blas', counting)
  features = draw(widths=(12, 7, 20, 9, 9))
  pairwise.measure_pairwise(
    features, every(5), near(0), CKA_ALONE, backend='blas'
  )
  blocks = -(-EXAMPLES // 50)
  assert count == {'own': 5 * blocks, 'pair': 10 * blocks}


def test_what_can_not_be_compared():
  x, y, _ = draw()
  with pytest.raises(ValueError, match='same examples'):
    pairwise.linear_cka(x, y[1:])
  with pytest.raises(errors.UsageError, match="Did you mean 'l2'"):
    pairwise.linear_cka(x, y, normalise='l1')
  with pytest.raises(errors.UsageError, match='back end'):
    pairwise.measure_pairwise(
      [x, y], [(0, 1)], near(), CKA_ALONE, backend='gpu'
    )

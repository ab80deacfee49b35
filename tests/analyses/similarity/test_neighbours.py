"""Nearest neighbours in common, against loops."""

import numpy as np
import pytest

from overlap.analyses.similarity import neighbours


def naive(features, k):
  """Each example's neighbours, the nearest first, of equal ones the first."""
  found = []
  for i, x in enumerate(features.astype(np.float64)):
    others = [j for j in range(len(features)) if j != i]

    def cosine(j, x=x):
      y = features[j].astype(np.float64)
      lengths = np.linalg.norm(x) * np.linalg.norm(y)
      return round(x @ y / lengths, 5) if lengths > 0 else 0.0

    found.append(set(sorted(others, key=lambda j: (-cosine(j), j))[:k]))
  return found


def sets(bits, count):
  unpacked = np.unpackbits(bits, axis=1)[:, :count]
  return [set(np.flatnonzero(row).tolist()) for row in unpacked]


@pytest.mark.parametrize(
  ('examples', 'k'), [(3, 1), (12, 10), (40, 10), (65, 7)]
)
@pytest.mark.parametrize('rows', [1, 8, 1024])
def test_neighbours_are_those_of_a_loop(monkeypatch, examples, k, rows):
  monkeypatch.setattr(neighbours, '_ROWS', rows)
  rng = np.random.default_rng(examples)
  features = rng.normal(size=(examples, 5)).astype(np.float32)
  found = neighbours.nearest(features, k)
  assert sets(found, examples) == naive(features, k)


def test_of_equally_near_ones_the_first_are_taken():
  # Axes of a cross: all cosines are exactly 0, 1 or -1.
  rng = np.random.default_rng(0)
  features = np.eye(4, dtype=np.float32)[rng.integers(0, 4, 50)]
  features[7] = 0
  found = neighbours.nearest(features, 6)
  assert sets(found, 50) == naive(features, 6)
  assert (np.bitwise_count(found).sum(axis=1) == 6).all()


def test_agreement_is_the_mean_share():
  rng = np.random.default_rng(1)
  one, two = rng.normal(size=(2, 60, 6)).astype(np.float32)
  two = one + two
  k = 9
  shares = [
    len(a & b) / k for a, b in zip(naive(one, k), naive(two, k), strict=True)
  ]
  got = neighbours.agreement(
    neighbours.nearest(one, k), neighbours.nearest(two, k), k
  )
  assert got == pytest.approx(np.mean(shares))
  assert 0 < got < 1


def test_lengths_do_not_count():
  rng = np.random.default_rng(2)
  one = rng.normal(size=(40, 6)).astype(np.float32)
  longer = one * rng.uniform(1, 9, (40, 1)).astype(np.float32)
  found = [neighbours.nearest(x, 5) for x in (one, longer)]
  assert neighbours.agreement(*found, 5) == 1


@pytest.mark.parametrize(
  ('examples', 'k'), [(0, 10), (1, 10), (11, 10), (20, 0)]
)
def test_where_all_would_agree_there_is_none(examples, k):
  features = np.random.default_rng(0).normal(size=(examples, 3))
  found = neighbours.nearest(features.astype(np.float32), k)
  assert found is None
  assert np.isnan(neighbours.agreement(found, found, k))

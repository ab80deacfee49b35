"""Normalising and centring block by block, against whole arrays."""

import numpy as np
import pytest

from overlap.analyses.similarity import representation


def reference(x, normalise, block):
  x = x.astype(np.float64)
  if normalise in ('l2', 'both'):
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
  if normalise in ('standardise', 'both'):
    x = (x - x.mean(axis=0)) / x.std(axis=0)
  if normalise == 'none':  # One scale for all, from the first rows.
    x = x / np.sqrt((x[: min(64, block)] ** 2).sum(axis=1).mean())
  return x


def draw(examples, width=6):
  rng = np.random.default_rng(examples)
  return (3 + rng.normal(size=(examples, width))).astype(np.float32)


@pytest.mark.parametrize('normalise', ['l2', 'standardise', 'both', 'none'])
@pytest.mark.parametrize('examples', [2, 64, 65, 150])
@pytest.mark.parametrize('block', [1, 50, 4096])
def test_blocks_are_parts_of_the_whole(monkeypatch, normalise, examples, block):
  monkeypatch.setattr(representation, 'BLOCK', block)
  x = draw(examples)
  near = np.array([0, examples - 1])
  moments = representation.scan(x, normalise, near)
  parts = [
    representation.centred(x[rows], moments, rows)
    for rows in representation.blocks(examples)
  ]
  expected = reference(x, normalise, block)
  uncentred = representation.normalised(
    moments.near, moments.row[near], moments
  )
  np.testing.assert_allclose(uncentred, expected[near], atol=1e-5)
  np.testing.assert_array_equal(moments.near, x[near])
  expected -= expected.mean(axis=0)
  got = np.concatenate([part for part, _ in parts])
  np.testing.assert_allclose(got, expected, atol=1e-5)
  squares = np.concatenate([squares for _, squares in parts])
  np.testing.assert_allclose(squares, (expected**2).sum(axis=1), rtol=1e-4)
  assert moments.finite == examples
  assert not representation.is_constant(squares.sum(), moments)


def test_a_constant_dimension_is_left_out_by_standardising():
  x = draw(40)
  x[:, 2] = 7
  moments = representation.scan(x, 'standardise', np.empty(0, int))
  assert moments.column[2] == 0
  got, _ = representation.centred(x, moments, slice(0, 40))
  assert (got[:, 2] == 0).all()
  assert np.isfinite(got).all()


def test_what_float32_can_not_square():
  x = draw(10)
  for scale in (1e-30, 1e-20, 1e30):
    scaled = x * np.float32(scale)
    moments = representation.scan(scaled, 'l2', np.empty(0, int))
    lengths = np.linalg.norm(scaled.astype(np.float64), axis=1)
    np.testing.assert_allclose(moments.row, 1 / lengths, rtol=1e-6)


def test_how_many_examples_are_finite():
  x = draw(10)
  x[2, 1], x[5, 0], x[5, 3] = np.nan, np.inf, -np.inf
  assert representation.scan(x, 'l2', np.empty(0, int)).finite == 8

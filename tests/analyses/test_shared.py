"""Shared resamples against resampling the examples themselves."""

import numpy as np
import pytest

from overlap.analyses import shared


@pytest.mark.parametrize('examples', [0, 1, 37])
def test_every_resample_holds_as_many_examples(examples):
  drawn = shared.weights(examples, resamples=5, seed=0)
  assert drawn.shape == (5, examples)
  assert (drawn.sum(axis=1) == examples).all()
  more = shared.weights(examples, resamples=8, seed=0)
  np.testing.assert_array_equal(more[:5], drawn)
  if examples == 37:
    assert (shared.weights(37, resamples=5, seed=1) != drawn).any()


@pytest.mark.parametrize('held', [1, 100, 2**24])
def test_totals_count_what_the_resamples_hold(monkeypatch, held):
  monkeypatch.setattr(shared, '_HELD', held)
  indicators = np.random.default_rng(0).random((7, 50)) < 0.3
  got = shared.totals(indicators, resamples=20, seed=3)
  for row, drawn in enumerate(shared.weights(50, resamples=20, seed=3)):
    rows = np.repeat(np.arange(50), drawn)
    np.testing.assert_array_equal(got[row], indicators[:, rows].sum(axis=1))
  assert got.dtype == np.int64


def test_pairs_that_go_together_do_so_in_the_resamples():
  """The error of a difference is not that of two independent counts."""
  rng = np.random.default_rng(1)
  one = rng.random(2000) < 0.3
  two = np.where(rng.random(2000) < 0.9, one, rng.random(2000) < 0.3)
  drawn = shared.totals(np.stack([one, two]), resamples=2000, seed=0)
  got = (drawn[:, 0] - drawn[:, 1]).std()
  difference = one.astype(int) - two
  assert got == pytest.approx(np.sqrt(2000) * difference.std(), rel=0.06)

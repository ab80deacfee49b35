"""Tests of overlap.analyses.seriation."""

import itertools

import numpy as np
import pytest

from overlap.analyses import seriation


def blocks(groups):
  """0.1 apart within a group, 0.5 between groups, 0 on the diagonal."""
  groups = np.asarray(groups)
  distances = np.where(groups[:, None] == groups, 0.1, 0.5)
  np.fill_diagonal(distances, 0)
  return distances


@pytest.mark.parametrize('models', [0, 1, 2, 3, 17])
def test_a_permutation_and_the_same_each_time(models):
  drawn = np.random.default_rng(0).random((models, models))
  distances = drawn + drawn.T
  np.fill_diagonal(distances, 0)
  order = seriation.order(distances)
  assert sorted(order) == list(range(models))
  assert seriation.order(distances) == order


def test_models_of_a_group_stand_together():
  groups = [0, 1, 2, 0, 1, 2, 0, 1, 2]
  order = seriation.order(blocks(groups))
  met = [groups[i] for i in order]
  assert sum(a != b for a, b in itertools.pairwise(met)) == 2


@pytest.mark.parametrize('turned', [0, 300])
def test_models_on_a_line_stand_in_a_row(monkeypatch, turned):
  monkeypatch.setattr(seriation, '_TURNED', turned)
  places = np.array([0.5, 0.1, 0.3, 0.0, 0.4])
  distances = np.abs(places[:, None] - places)
  order = seriation.order(distances)
  steps = np.abs(np.diff(places[order]))
  # Turned, no model is passed over.
  assert (steps.sum() == pytest.approx(0.5)) or not turned

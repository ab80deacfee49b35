"""Tests of overlap.analyses.probing.transfer against naive restatements."""

import numpy as np
import pytest
from sklearn import metrics

from overlap.analyses import shared, stats
from overlap.analyses.probing import average_precision, multi_label, transfer
from overlap.analyses.probing.multi_label import Labels
from overlap.core import errors


def random_task(examples, classes, seed, ties=False, left_out=0.1):
  rng = np.random.default_rng(seed)
  targets = (rng.random((examples, classes)) < 0.3).astype(np.int8)
  targets[rng.random(targets.shape) < left_out] = -1
  signal = targets == 1
  logits = [
    rng.normal(size=targets.shape) + strength * signal
    for strength in (0.5, 1.0, 2.0)
  ]
  if ties:
    logits = [np.round(z) for z in logits]
  names = tuple(f'c{k}' for k in range(classes))
  return [z.astype(np.float32) for z in logits], Labels(names, targets)


def naive_mean(logits, targets):
  """The mean over classes with a positive, of examples as they stand."""
  values = [
    average_precision.average_precision(logits[:, k], targets[:, k])
    for k in range(targets.shape[1])
  ]
  known = [v for v in values if not np.isnan(v)]
  return np.mean(known) if known else np.nan


@pytest.mark.parametrize('ties', [False, True])
@pytest.mark.parametrize(('examples', 'classes'), [(1, 1), (7, 3), (60, 4)])
def test_scores_and_bootstrap_are_the_naive_ones(examples, classes, ties):
  logits, labels = random_task(examples, classes, examples, ties)
  got = transfer.score_systems(logits, labels, resamples=20, seed=3)
  assert got.metric == 'mAP'
  drawn = shared.weights(examples, resamples=20, seed=3)
  for s, z in enumerate(logits):
    np.testing.assert_allclose(got.total[s], naive_mean(z, labels.targets))
    for r, weights in enumerate(drawn):
      # The very examples, as often as they are drawn.
      rows = np.repeat(np.arange(examples), weights)
      expected = [
        average_precision.average_precision(z[rows, k], labels.targets[rows, k])
        for k in range(classes)
      ]
      np.testing.assert_allclose(got.class_draws[s, :, r], expected)
      known = [v for v in expected if not np.isnan(v)]
      np.testing.assert_allclose(
        got.draws[s, r], np.mean(known) if known else np.nan
      )


def test_an_independent_average_precision():
  # Of all positives' precisions, where the highest later one counts: the area
  # under scikit-learn's curve read at eleven levels.
  logits, labels = random_task(200, 3, 0, left_out=0)
  got = transfer.score_systems(logits, labels, resamples=0, seed=0)
  for k in range(3):
    precision, recall, _ = metrics.precision_recall_curve(
      labels.targets[:, k], logits[1][:, k]
    )
    expected = np.mean([
      precision[recall >= level / 10 - 1e-12].max() for level in range(11)
    ])  # fmt: skip
    np.testing.assert_allclose(got.by_class[1, k], expected)
  assert got.draws.shape == (3, 0)
  assert np.isnan(transfer.score_interval(got.draws[0], 0.5, 0.95)).all()


def test_one_label_is_accuracy_and_recall():
  rng = np.random.default_rng(1)
  truth = rng.integers(0, 3, 50).astype(np.int32)
  logits = [rng.normal(size=(50, 4)) + np.eye(4)[truth] for _ in range(2)]
  labels = Labels(('a', 'b', 'c', 'nobody'), truth)
  got = transfer.score_systems(logits, labels, resamples=10, seed=0)
  assert got.metric == 'accuracy'
  drawn = shared.weights(50, resamples=10, seed=0)
  for s, z in enumerate(logits):
    right = z.argmax(axis=1) == truth
    np.testing.assert_allclose(got.total[s], right.mean())
    np.testing.assert_allclose(got.draws[s], (drawn * right).sum(1) / 50)
    recall = metrics.recall_score(
      truth, z.argmax(axis=1), labels=[0, 1, 2], average=None
    )
    np.testing.assert_allclose(got.by_class[s, :3], recall)
    assert np.isnan(got.by_class[s, 3])
  right = [z.argmax(axis=1) == truth for z in logits]
  p = transfer.p_value(*logits, labels, permutations=0, seed=[0])
  only = [(right[0] & ~right[1]).sum(), (right[1] & ~right[0]).sum()]
  assert p == stats.mcnemar(*only)


def naive_swapped(one, two, targets, swap, places):
  """The difference where ranks change sides, by sorting."""
  result = []
  for k in range(targets.shape[1]):
    kept = np.flatnonzero(targets[:, k] >= 0)
    ranks = []
    for z in (one, two):
      order = kept[np.argsort(-z[kept, k], kind='stable')]
      place = np.full(len(z), -1)
      place[order] = np.arange(len(order))
      ranks.append(place)
    mixed = np.where(swap, ranks[::-1], ranks)
    values = []
    for side in mixed:
      # Earlier ranks score higher, and the lower place of equal ones.
      score = -(side * len(one) + places).astype(float)
      values.append(average_precision.average_precision(score, targets[:, k]))
    result.append(values[1] - values[0])
  known = [v for v in result if not np.isnan(v)]
  return np.mean(known)


@pytest.mark.parametrize('ties', [False, True])
def test_permutations_are_the_naive_ones(ties):
  logits, labels = random_task(25, 3, 5, ties)
  one, two = logits[0], logits[1]
  got = transfer.p_value(one, two, labels, permutations=60, seed=[4, 2])
  rng = np.random.default_rng([4, 2])
  places = rng.permutation(25)
  swaps = rng.integers(0, 2, (60, 25), np.uint8) == 1
  observed = abs(
    naive_mean(two, labels.targets) - naive_mean(one, labels.targets)
  )
  drawn = [
    abs(naive_swapped(one, two, labels.targets, swap, places)) for swap in swaps
  ]
  expected = (1 + np.sum(np.array(drawn) >= observed - 1e-12)) / 61
  assert got == pytest.approx(expected)
  assert got == transfer.p_value(one, two, labels, permutations=60, seed=[4, 2])
  # Whichever comes first.
  assert got == pytest.approx(
    transfer.p_value(two, one, labels, permutations=60, seed=[4, 2]), abs=0.2
  )


def test_p_values_are_uniform_where_systems_are_as_good():
  p_values = []
  for seed in range(300):
    rng = np.random.default_rng(seed)
    targets = (rng.random((80, 3)) < 0.4).astype(np.int8)
    signal = targets + rng.normal(size=targets.shape)
    one, two = (
      scale * (signal + 0.7 * rng.normal(size=targets.shape))
      for scale in (1, 30)  # Scales of their own.
    )
    labels = Labels(('a', 'b', 'c'), targets)
    p_values.append(
      transfer.p_value(one, two, labels, permutations=99, seed=[seed])
    )
  p_values = np.array(p_values)
  # 300 uniform ones exceed these bounds once in some thousand times.
  for level in (0.05, 0.1, 0.25, 0.5, 0.75):
    share = np.mean(p_values <= level)
    reach = 3.5 * np.sqrt(level * (1 - level) / len(p_values))
    assert abs(share - level) < reach + 0.005, (level, share)


def test_better_systems_are_told():
  logits, labels = random_task(300, 4, 9)
  p = transfer.p_value(logits[0], logits[2], labels, permutations=200, seed=[0])
  assert p == 1 / 201
  same = transfer.p_value(
    logits[0], logits[0], labels, permutations=200, seed=[0]
  )
  assert same == 1
  none = transfer.p_value(*logits[:2], labels, permutations=0, seed=[0])
  assert np.isnan(none)
  nothing = Labels(('a',), np.zeros((4, 1), np.int8))
  z = np.arange(4.0)[:, np.newaxis]
  assert np.isnan(transfer.p_value(z, -z, nothing, permutations=9, seed=[0]))
  got = transfer.score_systems([z], nothing, resamples=3, seed=0)
  assert np.isnan(got.total).all()
  assert np.isnan(
    transfer.score_interval(got.draws[0], got.total[0], 0.95)
  ).all()


def test_labels_of_groups():
  targets = np.array([[1, 0, 0], [0, -1, 0], [-1, 1, 0], [0, 0, -1]], np.int8)
  groups = {'ab': np.array([0, 1]), 'c too': np.array([2])}
  got = multi_label.labels('abc', np.zeros(4, int), targets, groups)
  assert got.names == ('a', 'b', 'c', 'ab', 'c too')
  np.testing.assert_array_equal(got.targets[:, 3], [1, -1, 1, 0])
  np.testing.assert_array_equal(got.targets[:, 4], [0, 0, 0, -1])
  np.testing.assert_array_equal(got.fitted[:, 3], [1, 0, 1, 0])
  single = multi_label.labels('abc', np.array([2, 0, 1]), None, groups)
  np.testing.assert_array_equal(single.targets[:, :3], np.eye(3)[[2, 0, 1]])
  np.testing.assert_array_equal(single.targets[:, 3], [0, 1, 1])
  plain = multi_label.labels('abc', np.array([2, 0, 1]), None, {})
  assert not plain.several
  np.testing.assert_array_equal(plain.fitted, [2, 0, 1])
  with pytest.raises(errors.UsageError, match="got 'b'"):
    multi_label.labels('abc', np.zeros(4, int), targets, {'b': np.array([0])})


@pytest.mark.slow
def test_intervals_hold_what_other_test_sets_give():
  def draw(rng):
    targets = (rng.random((400, 3)) < 0.2).astype(np.int8)
    shared_noise = 0.7 * rng.normal(size=targets.shape)
    logits = [
      strength * targets + shared_noise + 0.7 * rng.normal(size=targets.shape)
      for strength in (2.0, 2.3)
    ]
    return logits, Labels(('a', 'b', 'c'), targets)

  rng = np.random.default_rng(0)
  totals = [
    transfer.score_systems(*draw(rng), resamples=0, seed=0).total
    for _ in range(1500)
  ]
  truth = np.mean(totals, axis=0)
  held = []
  for seed in range(200):
    got = transfer.score_systems(*draw(rng), resamples=300, seed=seed)
    low, high = transfer.score_interval(got.draws[0], got.total[0], 0.9)
    gains = got.draws[1] - got.draws[0]
    least, most = transfer.gain_interval(gains, got.total[1], 0.9)
    held.append([
      low <= truth[0] <= high, least <= truth[1] - truth[0] <= most
    ])  # fmt: skip
  shares = np.mean(held, axis=0)
  # Three standard errors of 90 % in 200 are 6 points.
  assert (shares > 0.83).all(), shares
  assert (shares < 0.97).all(), shares

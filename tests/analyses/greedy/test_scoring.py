"""Ensembles with each model added, against sums of whole logits."""

import itertools

import numpy as np
import pytest

from overlap.analyses import correctness, ensembles
from overlap.analyses.greedy import compact, scoring, subsets


def draw(models, examples, classes, *, seed=0, integers=False):
  rng = np.random.default_rng(seed)
  labels = rng.integers(0, classes, examples)
  shape = (models, examples, classes)
  if integers:  # Ties everywhere.
    logits = rng.integers(-2, 3, shape).astype(np.float32)
  else:
    logits = rng.normal(size=shape).astype(np.float32)
    logits += rng.normal(size=shape[1:]).astype(np.float32)
  if classes:
    logits[:, np.arange(examples), labels] += 1
  return logits, labels


def naive(logits, labels, members):
  """What the sum gets right, in the order of the members."""
  total = logits[members[0]].copy()
  with np.errstate(invalid='ignore'):
    for member in members[1:]:
      total = total + logits[member]
  return correctness.correct(total, labels)


def scores_of(logits, labels, **kwargs):
  kwargs.setdefault('max_members', 12)
  return compact.Scores(list(logits), labels, **kwargs)


CASES = {
  'random': draw(5, 100, 7),
  'ties': draw(5, 100, 4, integers=True),
  'one example': draw(4, 1, 3),
  'no example': draw(4, 0, 3),
  'one class': draw(3, 9, 1),
  'one model': draw(1, 9, 3),
  'two classes': draw(4, 65, 2, integers=True),
  'all correct': (
    np.stack([np.eye(3, dtype=np.float32)] * 3),
    np.arange(3),
  ),
  'all wrong': (
    np.stack([np.eye(3, dtype=np.float32)] * 3),
    np.array([1, 2, 0]),
  ),
}


def poisoned():
  logits, labels = draw(5, 120, 4, seed=3)
  rng = np.random.default_rng(4)
  for value in (np.nan, np.inf, -np.inf):
    where = rng.integers(0, 120, 15)
    logits[rng.integers(0, 5, 15), where, rng.integers(0, 4, 15)] = value
  logits[1, 7] = np.nan
  logits[2, 8] = -np.inf
  return logits, labels


def exclusive():
  """Each model rules out all classes but one or two."""
  logits, labels = draw(5, 120, 4, seed=5)
  rng = np.random.default_rng(6)
  keep = rng.integers(1, 3, (5, 120, 1))
  logits[rng.random(logits.shape).argsort(-1).argsort(-1) >= keep] = -np.inf
  return logits, labels


CASES['not finite'] = poisoned()
CASES['exclusive'] = exclusive()
CASES['ruled out, of one class'] = (
  np.array([[[0.0]], [[-np.inf]], [[1.0]]], np.float32),
  np.array([0]),
)
CASES['NaN of one class'] = (
  np.array([[[0.0]], [[np.nan]], [[1.0]]], np.float32),
  np.array([0]),
)


@pytest.mark.parametrize('rows', [None, 8, 64])
@pytest.mark.parametrize('case', CASES)
def test_additions(case, rows):
  logits, labels = CASES[case]
  models = len(logits)
  scores = scores_of(logits, labels, rows=rows)
  for size in (1, 2, 3):
    wanted = list(itertools.product(range(models), repeat=size))[:20]
    added = scoring.score_additions(scores, wanted)
    for ensemble in wanted:
      right = added.right(ensemble)
      assert right.shape == (models, len(labels))
      for model in range(models):
        expected = naive(logits, labels, (*ensemble, model))
        np.testing.assert_array_equal(right[model], expected)


def test_rounding_decides_as_in_a_plain_sum():
  # The label leads in both, by less than the sum can hold.
  big = np.float32(2.0**24)
  logits = np.array(
    [[[0.0, 1.0]], [[big, np.nextafter(big, np.float32(np.inf))]]], np.float32
  )
  logits[1, 0, 0] = big
  logits[1, 0, 1] = big
  labels = np.array([1])
  assert naive(logits, labels, (0, 1)).tolist() == [False]
  added = scoring.score_additions(scores_of(logits, labels), [(0,)])
  assert added.right((0,))[1].tolist() == [False]
  # And where the classes of three members' sum merge though all differ.
  steps = np.array([[[1.0, 1.5]], [[big, big + 2]], [[big, big + 2]]])
  steps = steps.astype(np.float32)
  for members in itertools.permutations(range(3)):
    added = scoring.score_additions(scores_of(steps, labels), [members[:2]])
    assert added.right(members[:2])[members[2]] == naive(steps, labels, members)


def test_probabilities():
  logits, labels = draw(4, 90, 5, seed=8)
  logits = 4 * logits
  scores = scores_of(logits, labels, method='probs')
  added = scoring.score_additions(scores, [(0,)])
  pairs = [(0, other) for other in range(4)]
  expected = ensembles.pair_ensembles(logits, labels, pairs)['probs']
  np.testing.assert_array_equal(
    added.right((0,)).sum(axis=1)[1:], expected.correct[1:]
  )


def test_what_does_not_fit_is_read_again():
  logits, labels = draw(4, 100, 6)

  class Counted:
    shape = logits.shape[1:]

    def __init__(self, values):
      self.values, self.reads = values, 0

    def __getitem__(self, rows):
      self.reads += 1
      return self.values[rows]

  for kept_bytes, reads in ((0, 3 * 7), (2**20, 7)):
    models = [Counted(values) for values in logits]
    scores = compact.Scores(
      models, labels, max_members=4, rows=16, kept_bytes=kept_bytes
    )
    for size in (1, 2, 3):
      ensemble = tuple(range(size))
      right = scoring.score_additions(scores, [ensemble]).right(ensemble)
      expected = naive(logits, labels, (*ensemble, 3))
      np.testing.assert_array_equal(right[3], expected)
    assert [model.reads for model in models] == [reads] * 4


def test_only_what_can_win_is_kept():
  logits, labels = CASES['all correct']
  block = compact.compact(list(logits), labels, 1e-6)
  assert block.scores.size == 0
  block = compact.compact(list(logits), np.array([1, 1, 0]), 1e-6)
  # A tie with the label counts, as rounding might.
  assert np.diff(block.offsets).tolist() == [2, 0, 2]
  assert block.lower.tolist() == [1, 0, 0]


@pytest.mark.parametrize('max_members', [1, 2, 9])
@pytest.mark.parametrize('case', CASES)
def test_subsets(case, max_members):
  logits, labels = CASES[case]
  every = subsets.tree(len(logits), max_members)
  groups = np.arange(len(labels)) % 3
  found = subsets.count_right(
    scores_of(logits, labels, rows=16), every, groups, num_groups=3
  )
  sizes = range(1, min(max_members, len(logits)) + 1)
  expected = {
    members
    for size in sizes
    for members in itertools.combinations(range(len(logits)), size)
  }
  assert {every.members(i) for i in range(len(every.last))} == expected
  assert subsets.count(len(logits), max_members) == len(expected)
  for subset in range(len(every.last)):
    right = naive(logits, labels, every.members(subset))
    for group in range(3):
      assert found[group, subset] == right[groups == group].sum()


def test_subsets_of_close_calls():
  # Scores of few values far apart, and tiny differences between them.
  rng = np.random.default_rng(5)
  logits = rng.integers(-2, 3, (7, 300, 3)).astype(np.float32)
  logits += 1e-7 * rng.integers(-2, 3, logits.shape).astype(np.float32)
  labels = rng.integers(0, 3, 300)
  every = subsets.tree(7, 7)
  found = subsets.count_right(
    scores_of(logits, labels), every, np.zeros(300, int), num_groups=1
  )
  for subset in range(len(every.last)):
    right = naive(logits, labels, every.members(subset))
    assert found[0, subset] == right.sum()


def test_too_many_subsets():
  from overlap.core import errors as overlap_errors

  assert subsets.count(12, 12) == 4095
  subsets.check_subset_count(12, 12)
  with pytest.raises(overlap_errors.UsageError, match=r'got 16,383'):
    subsets.tree(14, 14)

"""Ensembles of pairs against a loop over examples."""

import itertools

import numpy as np
import pytest
from scipy import special

from overlap.analyses import correctness, ensembles
from overlap.analyses.allpairs import engine
from overlap.core import errors as errors_lib

SHAPES = [
  (2, 1, 1),
  (2, 1, 3),
  (3, 0, 4),
  (4, 37, 10),
  (3, 130, 5),
  (2, 8, 200),
]


def draw(shape, seed=0, ties=False):
  rng = np.random.default_rng([*shape, seed])
  logits = rng.normal(size=shape).astype(np.float32) * 2
  if ties:
    logits = np.round(logits)
  return logits, rng.integers(0, shape[2], shape[1])


def all_pairs(models):
  return list(itertools.combinations(range(models), 2))


def argmax(values):
  """The first of the highest; -1 where there is NaN."""
  if np.isnan(values).any():
    return -1
  return min(range(len(values)), key=lambda c: (-values[c], c))


def naive(one, two, labels, method):
  """The fields of EnsembleCounts, by a loop over examples."""
  counts = dict.fromkeys(ensembles.EnsembleCounts._fields, 0)
  for a, b, label in zip(one, two, labels):
    right_1, right_2 = argmax(a) == label, argmax(b) == label
    if method == 'probs':
      a, b = (
        special.softmax(z.astype(np.float64)).astype(np.float32) for z in (a, b)
      )
    wins = argmax(a + b) == label
    counts['correct'] += wins
    counts['converted_only_1'] += wins and right_1 and not right_2
    counts['converted_only_2'] += wins and right_2 and not right_1
    counts['converted_neither'] += wins and not right_1 and not right_2
    counts['lost'] += not wins and right_1 and right_2
  return counts


@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('ties', [False, True])
def test_counts_equal_a_loop(shape, ties):
  logits, labels = draw(shape, ties=ties)
  pairs = all_pairs(shape[0])
  methods = ('logits', 'probs')
  found = ensembles.pair_ensembles(logits, labels, pairs, methods=methods)
  assert list(found) == list(methods)
  for method, counts in found.items():
    assert all(field.dtype == np.int64 for field in counts)
    for p, (i, j) in enumerate(pairs):
      got = {k: int(v[p]) for k, v in counts._asdict().items()}
      assert got == naive(logits[i], logits[j], labels, method)


@pytest.mark.parametrize('seed', range(4))
def test_the_identity_holds_exactly_on_the_counts(seed):
  logits, labels = draw((5, 200, 4), seed, ties=True)
  pairs = np.array(all_pairs(5))
  correct = np.stack([correctness.correct(z, labels) for z in logits])
  counts = correctness.pair_counts(correct).at(*pairs.T)
  for made in ensembles.pair_ensembles(logits, labels, pairs).values():
    inconsistent = counts.only_1 + counts.only_2
    converted = made.converted_only_1 + made.converted_only_2
    np.testing.assert_array_equal(
      made.correct,
      counts.both_correct - made.lost + converted + made.converted_neither,
    )
    # And in fractions, as SPEC writes it.
    shares = [
      field / counts.total
      for field in (counts.both_correct, inconsistent, counts.neither)
    ]
    rates = [
      1 - ensembles.loss_rate(counts, made),
      ensembles.conversion_rate(counts, made),
      ensembles.neither_conversion_rate(counts, made),
    ]
    np.testing.assert_allclose(
      ensembles.accuracy(counts, made),
      sum(share * rate for share, rate in zip(shares, rates)),
    )
    a_1, a_2 = correctness.accuracies(counts)
    np.testing.assert_allclose(
      ensembles.gain(counts, made),
      ensembles.accuracy(counts, made) - (a_1 + a_2) / 2,
      atol=1e-15,
    )


def test_given_correctness_is_taken():
  logits, labels = draw((2, 30, 3))
  correct = np.zeros((2, 30), bool)
  correct[0] = True
  made = ensembles.pair_ensembles(
    logits, labels, [(0, 1)], correct=correct, methods=('logits',)
  )['logits']
  assert made.converted_only_1 == made.correct
  assert made.lost == made.converted_neither == made.converted_only_2 == 0


def test_a_model_with_itself_changes_nothing():
  logits, labels = draw((1, 40, 5))
  right = int((logits[0].argmax(axis=1) == labels).sum())
  for made in ensembles.pair_ensembles(logits, labels, [(0, 0)]).values():
    assert made.correct == right
    assert made.lost == made.converted_neither == 0


def test_rows_that_are_not_finite_are_wrong():
  inf, nan = np.inf, np.nan
  one = [[nan, 1, 0], [inf, 0, 0], [-inf, 5, 0], [inf, 0, 0]]
  two = [[5, 1, 0], [-inf, 0, 0], [-inf, 1, 0], [0, 0, 0]]
  calibrated = np.array([one, two], np.float32)
  labels = np.array([0, 0, 1, 0])
  found = ensembles.pair_ensembles(calibrated, labels, [(0, 1)])
  # NaN; inf - inf; a class that both rule out; the first class has it.
  assert found['logits'].correct == 2
  # Of infinite logits there are no probabilities.
  assert found['probs'].correct == 1


@pytest.mark.parametrize('backend', engine.BACKENDS)
def test_members_that_rule_out_each_others_classes(backend):
  """No class is left, which is wrong, and class 0 is none of both."""
  inf = np.inf
  one = [[0, -inf, -inf], [-inf, 0, -inf], [0, -inf, -inf], [0, -inf, 3]]
  two = [[-inf, 0, -inf], [-inf, -inf, 0], [0, -inf, -inf], [-inf, 0, 1]]
  labels = np.array([0, 0, 0, 2])
  found = ensembles.pair_ensembles(
    np.array([one, two], np.float32), labels, [(0, 1)], backend=backend
  )['logits']
  assert found.correct == 2
  assert found.converted_only_1 == 0
  assert found.lost == 0


def test_no_pairs_and_no_examples():
  logits, labels = draw((2, 5, 3))
  none = ensembles.pair_ensembles(logits, labels, [])
  assert all(field.shape == (0,) for field in none['logits'])
  empty = ensembles.pair_ensembles(logits[:, :0], labels[:0], [(0, 1)])
  assert all(field.tolist() == [0] for field in empty['probs'])


def test_a_misspelt_method_is_told():
  logits, labels = draw((2, 5, 3))
  with pytest.raises(errors_lib.UsageError, match="Did you mean 'probs'"):
    ensembles.pair_ensembles(logits, labels, [(0, 1)], methods=['prob'])


@pytest.mark.parametrize('shape', [(3,), (2, 5), (2, 3, 1), (0, 4)])
def test_softmax_equals_scipys(shape):
  logits = np.random.default_rng(0).normal(size=shape).astype(np.float32) * 40
  got = ensembles.softmax(logits)
  assert got.dtype == np.float32
  if logits.size:
    expected = special.softmax(logits.astype(np.float64), axis=-1)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-30)

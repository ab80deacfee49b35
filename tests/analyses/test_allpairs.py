"""All pairs at once against a plain restatement, whatever the inputs."""

import itertools

import numpy as np
import pytest
from scipy import special

from overlap.analyses import correctness, ensembles, scratch
from overlap.analyses.allpairs import blocks, engine, resume
from overlap.core import errors as errors_lib

BACKENDS = tuple(engine.BACKENDS)
METHODS = ('logits', 'probs')
inf, nan = np.inf, np.nan


def all_pairs(models):
  return np.array(list(itertools.combinations(range(models), 2))).reshape(-1, 2)


def probabilities(logits):
  with np.errstate(invalid='ignore'):
    return special.softmax(logits.astype(np.float64), -1).astype(np.float32)


def wins(sums, labels):
  """Whether the first of the highest is the label's, and none is NaN.

  Where all are minus infinity there is no class.
  """
  if not sums.shape[1]:
    return np.zeros(len(sums), bool)
  usable = ~np.isnan(sums).any(1) & (sums > -inf).any(1)
  highest = np.where(np.isnan(sums), -inf, sums).max(1)
  first = (sums == highest[:, None]).argmax(1)
  return usable & (first == labels)


def restated(logits, labels, pairs, methods=METHODS, correct=None):
  """`[methods, 5, pairs]`, example by example and pair by pair."""
  right = correct
  if right is None:
    right = np.stack([wins(z, labels) for z in logits])
  counts = np.zeros((len(methods), 5, len(pairs)), np.int64)
  for m, method in enumerate(methods):
    scores = probabilities(logits) if method == 'probs' else logits
    for p, (i, j) in enumerate(pairs):
      with np.errstate(invalid='ignore', over='ignore'):
        together = wins(scores[i] + scores[j], labels)
      one, two = right[i], right[j]
      counts[m, :, p] = [
        together.sum(),
        (together & one & ~two).sum(),
        (together & ~one & two).sum(),
        (together & ~one & ~two).sum(),
        (~together & one & two).sum(),
      ]
  return counts


def counted(*args, **kwargs):
  found = ensembles.pair_ensembles(*args, **kwargs)
  return np.stack([np.stack(fields) for fields in found.values()])


def normal(models, examples, classes, seed=0, scale=3.0):
  rng = np.random.default_rng([models, examples, classes, seed])
  logits = scale * rng.standard_normal((models, examples, classes))
  labels = rng.integers(0, classes, examples)
  # Half the models are good.
  logits[::2, np.arange(examples), labels] += 2 * scale
  return logits.astype(np.float32), labels


def quantised(models, examples, classes):
  logits, labels = normal(models, examples, classes, scale=1)
  return np.round(logits), labels


def all_equal(models, examples, classes):
  logits, labels = normal(models, examples, classes)
  labels[: len(labels) // 2] = 0
  return np.full_like(logits, 1.5), labels


def duplicates(models, examples, classes):
  logits, labels = normal(models, examples, classes)
  return np.repeat(logits[:2], models, 0)[:models], labels


def swapped(models, examples, classes):
  """Models that have the same scores for the classes in another order."""
  logits, labels = normal(models, examples, classes)
  rng = np.random.default_rng(1)
  for z in logits[1:]:
    z[:] = logits[0][:, rng.permutation(classes)]
  return logits, labels


def all_right(models, examples, classes):
  logits, labels = normal(models, examples, classes)
  logits[:, np.arange(examples), labels] = 50
  return logits, labels


def all_wrong(models, examples, classes):
  logits, labels = normal(models, examples, classes)
  logits[:, np.arange(examples), labels] = -50
  return logits, labels


def near_ties(models, examples, classes):
  """Sums that only rounding makes equal: all within a few last digits."""
  rng = np.random.default_rng(2)
  logits = np.full((models, examples, classes), 1 / 3, np.float32)
  logits *= np.float32(4.0) ** rng.integers(-3, 4, (models, 1, 1))
  for _ in range(3):
    up = rng.random(logits.shape) < 0.5
    logits = np.where(up, np.nextafter(logits, np.float32(inf)), logits)
  logits *= rng.choice([-1, 1], (models, examples, 1)).astype(np.float32)
  return logits, rng.integers(0, classes, examples)


def rounded_away(models, examples, classes):
  """Both models clear by less than the sum's last digit."""
  rng = np.random.default_rng(3)
  labels = rng.integers(0, classes, examples)
  logits = np.ones((models, examples, classes), np.float32)
  logits[1::2] = 2.0**23
  logits[::2, np.arange(examples), labels] = np.nextafter(np.float32(1), inf)
  return logits, labels


def not_finite(models, examples, classes):
  logits, labels = normal(models, examples, classes)
  rng = np.random.default_rng(4)
  for value in (inf, -inf, nan, -nan):
    logits[rng.random(logits.shape) < 0.3 / classes] = value
  logits[0, : examples // 4] = -inf
  logits[-1, examples // 2 : examples // 2 + 3] = inf
  return logits, labels


def exclusive(models, examples, classes):
  """Each model rules out all classes but one, two or three."""
  logits, labels = normal(models, examples, classes)
  rng = np.random.default_rng(6)
  keep = rng.integers(1, 4, (models, examples, 1))
  logits[rng.random(logits.shape).argsort(-1).argsort(-1) >= keep] = -inf
  return logits, labels


def huge(models, examples, classes):
  """Sums that overflow."""
  logits, labels = normal(models, examples, classes)
  rng = np.random.default_rng(5)
  largest = np.finfo(np.float32).max
  values = largest * np.array([-1, -0.6, 0.4, 0.6, 0.9, 1], np.float32)
  some = rng.random((models, examples, 1)) < 0.7
  return np.where(some, rng.choice(values, logits.shape), logits), labels


def zeros_of_both_signs(models, examples, classes):
  logits, labels = normal(models, examples, classes)
  rng = np.random.default_rng(6)
  return rng.choice(np.array([-0.0, 0.0, -1], np.float32), logits.shape), labels


def no_such_label(models, examples, classes):
  logits, labels = normal(models, examples, classes)
  labels[::3], labels[1::3] = -1, classes
  return logits, labels


KINDS = [
  normal, quantised, all_equal, duplicates, swapped, all_right, all_wrong,
  near_ties, rounded_away, not_finite, exclusive, huge, zeros_of_both_signs,
  no_such_label,
]  # fmt: skip
SHAPES = [(5, 61, 7), (4, 9, 130), (3, 17, 2), (2, 5, 1), (3, 1, 3)]


@pytest.mark.filterwarnings('ignore:overflow')
@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize('shape', SHAPES, ids=str)
@pytest.mark.parametrize('kind', KINDS)
def test_counts_are_those_of_the_definition(kind, shape, backend):
  logits, labels = kind(*shape)
  assert logits.dtype == np.float32
  pairs = all_pairs(shape[0])
  got = counted(logits, labels, pairs, backend=backend)
  assert got.dtype == np.int64
  np.testing.assert_array_equal(got, restated(logits, labels, pairs))


@pytest.mark.parametrize('seed', range(6))
@pytest.mark.parametrize('scale', [0.3, 3.0])
def test_the_search_is_exact_on_many_classes(seed, scale):
  logits, labels = normal(9, 40, 700, seed, scale)
  if seed % 2:
    logits = np.round(logits * 4) / 4
  pairs = all_pairs(9)
  np.testing.assert_array_equal(
    counted(logits, labels, pairs, backend='numba'),
    restated(logits, labels, pairs),
  )


@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize(
  'pairs', [[(0, 1), (1, 0), (0, 1)], [(2, 2), (3, 1)], [(4, 0)], []]
)
def test_any_list_of_pairs(pairs, backend):
  logits, labels = normal(5, 33, 6)
  pairs = np.array(pairs, int).reshape(-1, 2)
  np.testing.assert_array_equal(
    counted(logits, labels, pairs, backend=backend),
    restated(logits, labels, pairs),
  )


@pytest.mark.parametrize('backend', BACKENDS)
def test_given_correctness_need_not_be_that_of_the_logits(backend):
  logits, labels = normal(5, 60, 6)
  labels[::7] = -1
  correct = np.random.default_rng(0).random((5, 60)) < 0.5
  pairs = all_pairs(5)
  np.testing.assert_array_equal(
    counted(logits, labels, pairs, correct=correct, backend=backend),
    restated(logits, labels, pairs, correct=correct),
  )


@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize('methods', [('logits',), ('probs', 'logits')])
def test_methods_asked_for_come_in_their_order(methods, backend):
  logits, labels = normal(4, 20, 6)
  pairs = all_pairs(4)
  found = ensembles.pair_ensembles(
    logits, labels, pairs, methods=methods, backend=backend
  )
  assert tuple(found) == methods
  np.testing.assert_array_equal(
    np.stack([np.stack(fields) for fields in found.values()]),
    restated(logits, labels, pairs, methods),
  )


class Lazy:
  """Logits that tell which rows of them were read."""

  def __init__(self, values):
    self.values, self.shape, self.reads = values, values.shape, []

  def __getitem__(self, rows):
    self.reads.append((rows.start, rows.stop))
    return self.values[rows]


@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize('memory', [1, 400, 2000, 10**6])
def test_blocks_of_any_size_give_the_same(memory, backend, monkeypatch):
  monkeypatch.setattr(blocks, '_MIB', 1)
  logits, labels = normal(4, 53, 6)
  pairs = np.array([(0, 1), (3, 1), (2, 2)])
  expected = restated(logits, labels, pairs)
  for models in (
    logits,
    list(logits),
    logits.astype(np.float64),
    logits[::-1][::-1],
    np.asfortranarray(logits),
    [Lazy(z) for z in logits],
  ):
    got = counted(models, labels, pairs, memory_mb=memory, backend=backend)
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize('backend', BACKENDS)
def test_logits_are_divided_by_temperatures_as_they_are_read(backend):
  logits, labels = normal(4, 53, 6)
  rng = np.random.default_rng(0)
  temperatures = rng.uniform(0.3, 3, (4, 53)).astype(np.float32)
  pairs = all_pairs(4)
  expected = restated(logits / temperatures[..., None], labels, pairs)
  for models in (logits, [Lazy(z) for z in logits]):
    got = counted(
      models, labels, pairs, temperatures=temperatures, backend=backend
    )
    np.testing.assert_array_equal(got, expected)


def test_models_are_read_once_in_slices_and_only_those_of_a_pair(monkeypatch):
  monkeypatch.setattr(blocks, '_MIB', 1)
  monkeypatch.setattr(blocks.os, 'cpu_count', lambda: 1)
  logits, labels = normal(3, 50, 3)
  lazy = [Lazy(z) for z in logits]
  memory = 16 * 4 * 3 * (2 * 2 + 1)
  counted(lazy, labels, [(2, 0)], memory_mb=memory)
  slices = [(0, 16), (16, 32), (32, 48), (48, 50)]
  assert [m.reads for m in lazy] == [slices, [], slices]


def test_a_fault_in_reading_is_raised():
  class Torn(Lazy):
    def __getitem__(self, rows):
      raise errors_lib.DataError('torn')

  logits, labels = normal(2, 5, 3)
  with pytest.raises(errors_lib.DataError, match='torn'):
    counted([Torn(logits[0]), Lazy(logits[1])], labels, [(0, 1)])


def test_a_misspelt_back_end_is_told():
  logits, labels = normal(2, 5, 3)
  with pytest.raises(errors_lib.UsageError, match="Did you mean 'numba'"):
    counted(logits, labels, [(0, 1)], backend='numb')


@pytest.mark.parametrize('backend', BACKENDS)
def test_without_examples_or_classes_nothing_is_counted(backend):
  logits, labels = normal(3, 8, 4)
  pairs = all_pairs(3)
  for some, of in ((logits[:, :0], labels[:0]), (logits[..., :0], labels)):
    assert not counted(some, of, pairs, backend=backend).any()


def test_softmax_is_that_of_float64_rounded():
  logits = np.concatenate([normal(3, 40, 9)[0], not_finite(3, 40, 9)[0]])
  got = ensembles.softmax(logits)
  expected = probabilities(logits)
  np.testing.assert_array_equal(got, expected)
  assert correctness.correct(got[0], np.zeros(40, int)).dtype == bool


class Stopped(Exception):
  """Stands for being killed."""


def stop_after(counter, blocks_counted, monkeypatch):
  """Lets a back end's counter count so many blocks, then stop."""
  count, seen = counter.count, []

  def limited(self, *args):
    if len(seen) == blocks_counted:
      raise Stopped
    seen.append(args[0].rows.start)
    return count(self, *args)

  monkeypatch.setattr(counter, 'count', limited)
  return seen


@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize('stopped', [0, 1, 5])
def test_what_was_stopped_goes_on(stopped, backend, tmp_path, monkeypatch):
  monkeypatch.setattr(blocks, '_MIB', 1)
  monkeypatch.setattr(scratch, '_EVERY', 0.0)
  logits, labels = normal(4, 50, 6)
  pairs = all_pairs(4)
  given = dict(memory_mb=2000, backend=backend)
  counter = engine.BACKENDS[backend]

  def run():
    kept = resume.Checkpoint(tmp_path / 'cache', ['abc'])
    return counted(list(logits), labels, pairs, checkpoint=kept, **given)

  with monkeypatch.context() as patch:
    seen = stop_after(counter, stopped, patch)
    with pytest.raises(Stopped):
      run()
  assert len(seen) == stopped
  assert len(list(tmp_path.rglob('*.npz'))) == (stopped > 0)
  with monkeypatch.context() as patch:
    rest = stop_after(counter, 10**6, patch)
    got = run()
  assert not set(rest) & set(seen)
  np.testing.assert_array_equal(got, restated(logits, labels, pairs))


def kept(folder, monkeypatch, depends_on=('abc',)):
  """What a pass over other inputs takes up from one that was stopped."""
  monkeypatch.setattr(blocks, '_MIB', 1)
  monkeypatch.setattr(scratch, '_EVERY', 0.0)
  logits, labels = normal(4, 50, 6)
  correct = np.stack([correctness.correct(z, labels) for z in logits])
  given = dict(
    correct=correct, temperatures=np.ones((4, 50), np.float32),
    methods=('logits',), memory_mb=2000, backend='numba',
    checkpoint=resume.Checkpoint(folder, list(depends_on)),
  )  # fmt: skip
  return list(logits), labels, all_pairs(4), given


def change_nothing(labels, pairs, given):
  return labels, pairs, given


def change_labels(labels, pairs, given):
  return (labels + 1) % 6, pairs, given


def change_pairs(labels, pairs, given):
  return labels, pairs[::-1], given


def change_methods(labels, pairs, given):
  return labels, pairs, given | {'methods': ('probs',)}


def change_temperatures(labels, pairs, given):
  return labels, pairs, given | {'temperatures': given['temperatures'] * 2}


def change_correct(labels, pairs, given):
  return labels, pairs, given | {'correct': ~given['correct']}


def change_memory(labels, pairs, given):
  return labels, pairs, given | {'memory_mb': 1000}


def change_sources(labels, pairs, given):
  folder = given['checkpoint']._scratch.file.parent
  return labels, pairs, given | {'checkpoint': resume.Checkpoint(folder, [])}


@pytest.mark.parametrize(
  'change',
  [
    change_labels, change_pairs, change_methods, change_temperatures,
    change_correct, change_memory, change_sources, change_nothing,
  ],
)  # fmt: skip
def test_counts_of_anything_else_are_not_taken_up(
  change, tmp_path, monkeypatch
):
  logits, labels, pairs, given = kept(tmp_path, monkeypatch)
  counter = engine.BACKENDS['numba']
  with monkeypatch.context() as patch:
    stop_after(counter, 2, patch)
    with pytest.raises(Stopped):
      counted(logits, labels, pairs, **given)
  labels, pairs, given = change(labels, pairs, given)
  seen = stop_after(counter, 10**6, monkeypatch)
  got = counted(logits, labels, pairs, **given)
  assert (seen[0] == 0) == (change is not change_nothing)
  del given['checkpoint']
  np.testing.assert_array_equal(
    got, counted(logits, labels, pairs, **given | {'memory_mb': 10**6})
  )


@pytest.mark.parametrize('content', [b'', b'torn', b'PK\x03\x04'])
def test_counts_that_can_not_be_read_are_not_taken_up(
  content, tmp_path, monkeypatch
):
  logits, labels, pairs, given = kept(tmp_path, monkeypatch)
  (tmp_path / 'pairs-0.npz').write_bytes(content)
  got = counted(logits, labels, pairs, **given)
  np.testing.assert_array_equal(
    got, restated(np.stack(logits), labels, pairs, ('logits',))
  )

"""Tests of overlap.data.pipeline."""

import itertools
import threading
import time

import numpy as np
import pytest

from overlap.core import errors
from overlap.data import pipeline
from overlap.data.examples import Examples


def collect(batches, numbers_of):
  """Returns which examples each batch holds, and checks its labels."""
  found = []
  for batch in batches:
    numbers = numbers_of(batch['image'])
    np.testing.assert_array_equal(batch['label'], numbers % 3)
    found.append(numbers.tolist())
  return found


@pytest.fixture
def run(numbered, numbers_of):
  def run(count, **options):
    options = {'seed': 0, 'total_steps': 10} | options
    return collect(pipeline.batches(numbered(count), **options), numbers_of)

  return run


@pytest.mark.parametrize('num_threads', [0, 1, 3])
@pytest.mark.parametrize(
  ('count', 'batch_size'),
  [(1, 1), (7, 7), (12, 4), (10, 3), (3, 10), (5, 1), (300, 64)],
)
def test_every_example_once_an_epoch(run, count, batch_size, num_threads):
  steps = -(-4 * count // batch_size)
  batches = run(
    count, batch_size=batch_size, total_steps=steps, num_threads=num_threads
  )
  assert [len(batch) for batch in batches] == [batch_size] * steps
  stream = list(itertools.chain(*batches))
  for epoch in range(4):
    seen = stream[epoch * count : (epoch + 1) * count]
    assert sorted(seen) == list(range(count))


def test_epochs_and_seeds_have_permutations_of_their_own(run):
  epochs = {
    tuple(epoch)
    for seed in range(4)
    for epoch in run(50, batch_size=50, seed=seed, total_steps=4)
  }
  # 50! permutations: two alike would not be chance.
  assert len(epochs) == 16


def test_permutations_are_uniform(run):
  # 6 permutations of 3 examples, 3000 epochs: 500 +- 20.4 each.
  epochs = run(3, batch_size=3, total_steps=3000)
  _, counts = np.unique(epochs, axis=0, return_counts=True)
  assert len(counts) == 6
  assert np.all(np.abs(counts - 500) < 5 * 20.4)


@pytest.mark.parametrize('num_threads', [0, 1, 4])
def test_the_same_seed_gives_the_same_batches(run, num_threads):
  expected = run(31, batch_size=8, seed=5, num_threads=0)
  assert run(31, batch_size=8, seed=5, num_threads=num_threads) == expected
  assert run(31, batch_size=8, seed=6, num_threads=num_threads) != expected


@pytest.mark.parametrize('start_step', [0, 1, 4, 9, 10])
def test_restarting_continues(run, start_step):
  whole = run(13, batch_size=5)
  assert run(13, batch_size=5, start_step=start_step) == whole[start_step:]


@pytest.mark.parametrize('process_count', [1, 2, 4, 8])
@pytest.mark.parametrize('count', [5, 64])
def test_processes_part_the_batch(run, process_count, count):
  whole = run(count, batch_size=8)
  parts = [
    run(count, batch_size=8, process_index=index, process_count=process_count)
    for index in range(process_count)
  ]
  assert [sum(step, []) for step in zip(*parts)] == whole  # noqa: RUF017


class Recording(Examples):
  """Sleeps for a batch; knows what was read, and by how many at a time."""

  def __init__(self, count=1000, seconds=0.0):
    super().__init__(
      dataset='d', split='s', ids=[str(i) for i in range(count)],
      class_names=['only'], channels=1, image_size=1,
    )  # fmt: skip
    self.asked = []
    self.most = self._now = 0
    self._lock = threading.Lock()
    self._seconds = seconds

  def read(self, indices):
    with self._lock:
      self.asked.append(indices.tolist())
      self._now += 1
      self.most = max(self.most, self._now)
    time.sleep(self._seconds)
    with self._lock:
      self._now -= 1
    if 666 in indices:
      raise errors.DataError('example 666 is faulty')
    count = len(indices)
    return np.zeros((count, 1, 1, 1), np.uint8), np.zeros(count, int)


def test_a_restart_reads_nothing_before_it():
  examples = Recording()
  batches = pipeline.batches(
    examples, batch_size=2, seed=0, start_step=10**9, total_steps=10**9 + 3
  )
  assert len(list(batches)) == 3
  assert len(examples.asked) == 3


def test_threads_read_ahead_but_not_without_end():
  examples = Recording(seconds=0.1)
  batches = pipeline.batches(
    examples, batch_size=2, seed=0, total_steps=10**6, num_threads=3
  )
  next(batches)
  time.sleep(0.6)
  assert examples.most == 3
  assert 3 <= len(examples.asked) <= 8


def test_no_threads_read_when_asked():
  examples = Recording()
  batches = pipeline.batches(
    examples, batch_size=2, seed=0, total_steps=5, num_threads=0
  )
  next(batches)
  assert len(examples.asked) == 1


@pytest.mark.parametrize('num_threads', [0, 2])
def test_faults_arrive_as_they_are(num_threads):
  batches = pipeline.eval_batches(
    Recording(), batch_size=100, num_threads=num_threads
  )
  with pytest.raises(errors.DataError, match='example 666 is faulty'):
    list(batches)


@pytest.mark.parametrize(
  ('options', 'text'),
  [
    ({'batch_size': 0}, 'batch_size must be at least 1, got 0'),
    ({'seed': -1}, 'seed must be at least 0, got -1'),
    ({'start_step': 11}, r'start_step must lie in 0\.\.total_steps=10, got 11'),
    ({'start_step': -1}, r'start_step must lie in 0\.\.total_steps=10'),
    ({'process_count': 3}, 'multiple of the 3 processes, got 4'),
    ({'process_index': 1}, r'process_index must lie in \[0, 1\), got 1'),
    ({'process_count': 0}, r'process_index must lie in \[0, 0\), got 0'),
  ],
)
def test_usage_errors(run, options, text):
  with pytest.raises(errors.UsageError, match=text):
    run(7, **{'batch_size': 4} | options)


def test_no_examples_is_a_usage_error(run):
  with pytest.raises(errors.UsageError, match='number of examples'):
    run(0, batch_size=4)


@pytest.mark.parametrize('num_threads', [0, 2])
@pytest.mark.parametrize('batch_size', [1, 3, 5, 10, 11])
@pytest.mark.parametrize(
  ('start', 'stop'), [(0, None), (0, 10), (2, 9), (9, 10), (4, 4), (10, None)]
)
def test_eval_batches(
  numbered, numbers_of, start, stop, batch_size, num_threads
):
  batches = collect(
    pipeline.eval_batches(
      numbered(10), batch_size=batch_size, start=start, stop=stop,
      num_threads=num_threads,
    ),
    numbers_of,
  )  # fmt: skip
  expected = list(range(10))[start:stop]
  assert list(itertools.chain(*batches)) == expected
  assert all(len(batch) == batch_size for batch in batches[:-1])
  assert len(batches) == -(-len(expected) // batch_size)


@pytest.mark.parametrize(
  'options',
  [{'batch_size': 0}, {'start': -1}, {'stop': 11}, {'start': 5, 'stop': 4}],
)
def test_eval_usage_errors(numbered, options):
  with pytest.raises(errors.UsageError, match='0 <= start <= stop <= 10'):
    pipeline.eval_batches(numbered(10), **{'batch_size': 4} | options)


def test_a_core_gives_20_000_images_a_second(numbered):
  # 60,000 images of 4x4; those of 28x28 cost 0.1 us more each.
  examples = numbered(60_000)
  batches = pipeline.batches(
    examples, batch_size=128, seed=0, total_steps=500, num_threads=1
  )
  start = time.process_time()
  total = sum(len(batch['label']) for batch in batches)
  assert total / (time.process_time() - start) > 20_000

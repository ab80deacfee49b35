"""Batches over devices: every example once, whatever the sizes."""

import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap.core import errors
from overlap.distributed import meshes, processes

ROOT = pathlib.Path(__file__).resolve().parents[2]


def double(constant, batch):
  return {'out': batch * constant, 'sum': jnp.sum(batch, axis=-1)}


@pytest.mark.parametrize('rows', [1, 3, 8, 9, 17])
@pytest.mark.parametrize('batch_size', [1, 4, 6, 32])
def test_map_batches_gives_each_row_once_in_order(rows, batch_size):
  values = np.arange(rows * 2, dtype=np.float32).reshape(rows, 2)
  batches = [values[i : i + batch_size] for i in range(0, rows, batch_size)]
  outputs = list(
    meshes.map_batches(double, jnp.float32(2), batches, batch_size=batch_size)
  )
  assert [len(o['out']) for o in outputs] == [len(b) for b in batches]
  np.testing.assert_array_equal(
    np.concatenate([o['out'] for o in outputs]), values * 2
  )
  np.testing.assert_array_equal(
    np.concatenate([o['sum'] for o in outputs]), values.sum(1)
  )


def test_no_more_than_two_batches_are_under_way():
  taken = []

  def batches():
    for i in range(6):
      taken.append(i)
      yield np.full((4, 1), i, np.float32)

  outputs = meshes.map_batches(double, jnp.float32(1), batches(), batch_size=4)
  for i, _ in enumerate(outputs):
    assert len(taken) <= i + 2


def test_shard_and_replicate_use_every_device():
  batch = meshes.shard({'x': np.arange(8.0, dtype=np.float32)})['x']
  assert len(batch.sharding.device_set) == jax.device_count() == 4
  np.testing.assert_array_equal(np.asarray(batch), np.arange(8.0))
  tree = meshes.replicate({'w': np.ones(3, np.float32)})
  assert tree['w'].sharding.is_fully_replicated


@pytest.fixture
def joined(monkeypatch):
  """What `jax.distributed.initialize` was called with, call by call."""
  calls = []
  monkeypatch.setattr(
    jax.distributed, 'initialize', lambda **options: calls.append(options)
  )
  return calls


def test_processes_join_where_they_are_told_to(joined):
  processes.initialize('', 1, 0)
  assert joined == []
  processes.initialize('host:1234', 4, 3)
  assert joined == [
    {'coordinator_address': 'host:1234', 'num_processes': 4, 'process_id': 3}
  ]


def test_a_cluster_tells_by_itself(joined):
  processes.initialize('auto', 1, 0)
  assert joined == [{}]


@pytest.mark.parametrize(
  ('given', 'match'),
  [
    (('auto', 2, 0), 'leave them out'),
    (('auto', 1, 1), 'leave them out'),
    (('host:1', 2, 2), 'below --num_processes, got 2 and 2'),
    (('host:1', 2, -1), 'at least 0'),
    (('', 2, 0), '--num_processes=2 needs --coordinator'),
  ],
)
def test_numbers_that_do_not_fit_are_one_line(joined, given, match):
  with pytest.raises(errors.UsageError, match=match) as caught:
    processes.initialize(*given)
  assert '\n' not in str(caught.value)
  assert joined == []


def test_auto_without_a_cluster_is_one_line():
  # JAX's own function, which finds nothing here, in a process of its own: in
  # this one there are devices already.
  code = (
    'from overlap.distributed import processes\n'
    'processes.initialize("auto", 1, 0)'
  )
  done = subprocess.run(
    [sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT
  )
  line = done.stderr.splitlines()[-1]
  assert line.startswith(
    'overlap.core.errors.UsageError: --coordinator=auto needs'
  )
  assert 'Give HOST:PORT' in line


def test_a_batch_that_does_not_divide_is_refused():
  with pytest.raises(errors.UsageError, match='batch_size=6'):
    meshes.check_batch_size(6)


@pytest.mark.parametrize('count', [1, 4, 7])
def test_columns_are_padded_to_the_fullest_device_and_summed(count):
  parts = meshes.local_parts(count)
  assert np.r_[tuple(parts)].tolist() == list(range(count))
  lengths = [part.stop - part.start for part in parts]
  assert max(lengths) - min(lengths) <= 1
  columns = meshes.padded_columns(lengths)
  assert columns == 4 * max(lengths)
  values = np.zeros((2, columns), np.float32)
  values[:, :count] = np.arange(2 * count).reshape(2, count)
  spread = meshes.shard_columns({'x': values})
  assert len(spread['x'].sharding.device_set) == 4
  total = meshes.jit_summed(lambda tree: jnp.sum(tree['x'], axis=1))(spread)
  assert total.sharding.is_fully_replicated
  np.testing.assert_array_equal(total, values.sum(axis=1))

  def twice(factor, tree):
    return {'sum': factor * jnp.sum(tree['x'], axis=1)}

  total = meshes.jit_summed(
    lambda tree: meshes.sum_over_columns(twice, jnp.float32(2), tree)
  )(spread)
  np.testing.assert_array_equal(total['sum'], 2 * values.sum(axis=1))


def test_sums_are_in_the_order_of_the_parts():
  parts = [np.array([1e16]), np.array([1.0]), np.array([-1e16]), np.ones(1)]
  assert meshes.sum_in_order(iter(parts)) == [1.0]

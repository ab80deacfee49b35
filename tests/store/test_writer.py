"""Rows in any pattern, interrupted, repeated, from several writers."""

import itertools
import os
from unittest import mock

import hypothesis
import hypothesis.strategies as st
import jax.numpy as jnp
import numpy as np
import pytest

from overlap import store
from overlap.core import errors
from overlap.store import records, schema

NAMES = ['a/b', '..', '.', 'Réseau 50', 'a b', 'examples', 'record.json', '%41']


@pytest.mark.parametrize(
  ('rows', 'classes'), [(1, 1), (1, 3), (5, 2), (64, 4), (129, 3), (80, 20)]
)
@pytest.mark.parametrize('batch', [1, 7, 64, 1000])
def test_round_trip(build, small_chunks, rows, classes, batch):
  made = build(rows, classes)
  logits = made.logits()
  features = np.float32(np.arange(rows * 5).reshape(rows, 5))
  record = made.add(
    'm', batch, {'method': 'ours'}, logits=logits, features=features
  )
  np.testing.assert_array_equal(made.read('m'), logits)
  np.testing.assert_array_equal(made.read('m', 'features'), features)
  assert made.faults() == []
  stored = store.Store(made.workdir).record('shapes', 'test', 'm')
  assert stored == record
  assert record['method'] == 'ours'
  assert record['model'] == 'm'
  assert record['num_examples'] == rows
  assert record['num_classes'] == classes
  assert record['ids_hash'] == store.ids_hash(
    [f'id-{index}' for index in range(rows)]
  )
  assert record['arrays']['logits']['shape'] == [rows, classes]


def test_no_examples_and_no_features(build):
  made = build(0)
  made.add('m', logits=made.logits(), features=np.zeros((0, 4), np.float32))
  assert made.read('m').shape == (0, 3)
  made = build(3, name='v')
  made.add('m', logits=made.logits(), features=np.zeros((3, 0), np.float32))
  assert made.read('m', 'features').shape == (3, 0)
  assert made.faults() == []


def test_hard_labels(build):
  made = build(20)
  predicted = np.int32(np.arange(20) % 3)
  confidence = np.linspace(0, 1, 20, dtype=np.float32)
  made.add('m', predicted=predicted, confidence=confidence)
  np.testing.assert_array_equal(made.read('m', 'predicted'), predicted)
  np.testing.assert_array_equal(made.read('m', 'confidence'), confidence)
  assert made.faults() == []


@hypothesis.given(st.data())
@hypothesis.settings(max_examples=30, deadline=None)
def test_batches_of_any_pattern(tmp_path_factory, data):
  rows = data.draw(st.integers(1, 40))
  cuts = data.draw(st.lists(st.integers(0, rows), max_size=20))
  bounds = sorted({0, rows, *cuts})
  order = data.draw(st.permutations(list(itertools.pairwise(bounds))))
  workdir = tmp_path_factory.mktemp('w')
  values = np.random.default_rng(0).normal(size=(rows, 2)).astype(np.float32)
  where = {'dataset': 'd', 'split': 's'}
  with mock.patch.object(schema, 'CHUNK_BYTES', 32):  # Four rows a chunk.
    store.write_examples(
      workdir,
      **where,
      ids=[str(row) for row in range(rows)],
      labels=[0] * rows,
      class_names=['a', 'b'],
    )
    with store.RecordWriter(workdir, **where, model='m') as writer:
      writer.create('logits', shape=(rows, 2), dtype='float32')
      for start, stop in order:
        writer.write('logits', start, values[start:stop])
      writer.finish({})
  read = store.Store(workdir).read('d', 's', 'm')
  np.testing.assert_array_equal(read, values)
  assert list(store.check_store(workdir)) == []


def test_rows_in_random_order_and_a_buffer_that_is_used_again(
  build, small_chunks
):
  made = build(200)
  logits = made.logits()
  buffer = np.empty((1, 3), np.float32)
  with made.writer('m') as writer:
    writer.create('logits', shape=logits.shape, dtype='float32')
    for row in np.random.default_rng(0).permutation(200):
      buffer[:] = logits[row]
      writer.write('logits', int(row), buffer)
    writer.finish({})
  np.testing.assert_array_equal(made.read('m'), logits)


@pytest.mark.parametrize(
  'convert',
  [np.float64, jnp.asarray, lambda x: jnp.asarray(x, jnp.bfloat16)],
  ids=['float64', 'jax', 'bfloat16'],
)
def test_values_of_other_kinds_are_converted(build, convert):
  made = build(10)
  given = convert(made.logits())
  with made.writer('m') as writer:
    writer.create('logits', shape=given.shape, dtype=np.float32)
    writer.write('logits', 0, given)
    writer.finish({})
  np.testing.assert_array_equal(made.read('m'), np.float32(given))


@pytest.mark.parametrize('model', NAMES)
def test_names(build, model):
  made = build(4)
  made.add(model, logits=made.logits())
  assert made.models() == [model]
  np.testing.assert_array_equal(made.read(model), made.logits())
  assert made.folder(model).parent == made.split_folder
  assert made.faults() == []


def test_all_names_beside_each_other(build):
  made = build(4)
  for seed, model in enumerate(NAMES):
    made.add(model, logits=made.logits(seed))
  assert made.models() == sorted(NAMES)
  for seed, model in enumerate(NAMES):
    np.testing.assert_array_equal(made.read(model), made.logits(seed))


def test_non_finite_values_are_kept_and_counted(build):
  made = build(10)
  logits, features = made.logits(), np.ones((10, 2), np.float32)
  logits[2:4] = np.nan
  features[5, 1] = np.inf
  record = made.add('m', logits=logits, features=features)
  assert record['non_finite'] == 7
  assert record['arrays']['logits']['non_finite'] == 6
  np.testing.assert_array_equal(made.read('m'), logits)


def test_an_older_record_stays_unless_asked(build):
  made = build(10)
  made.add('m', logits=made.logits(0))
  with pytest.raises(errors.DataError, match='must not hold a record'):
    made.writer('m')
  logits = made.logits(1)
  with made.writer('m', replace=True) as writer:
    writer.create('logits', shape=logits.shape, dtype='float32')
    writer.write('logits', 0, logits)
    np.testing.assert_array_equal(made.read('m'), made.logits(0))
    writer.finish({})
  np.testing.assert_array_equal(made.read('m'), logits)
  assert sorted(os.listdir(made.split_folder)) == ['examples', 'm']


def test_of_two_writers_the_first_to_finish_stays(build):
  made = build(4)
  writers = [made.writer('m') for _ in range(2)]
  for seed, writer in enumerate(writers):
    writer.create('logits', shape=(4, 3), dtype='float32')
    writer.write('logits', 0, made.logits(seed))
  writers[0].finish({})
  with pytest.raises(errors.DataError, match='must not hold a record'):
    writers[1].finish({})
  np.testing.assert_array_equal(made.read('m'), made.logits(0))


@pytest.mark.parametrize('missing', [0, 3, 9])
def test_a_missing_row(build, small_chunks, missing):
  made = build(10)
  logits = made.logits()
  with made.writer('m') as writer:
    writer.create('logits', shape=logits.shape, dtype='float32')
    for row in range(10):
      if row != missing:
        writer.write('logits', row, logits[row : row + 1])
    with pytest.raises(
      errors.DataError, match=rf"'m' .* 1 missing, .* row {missing}:"
    ):
      writer.finish({})
  assert made.models() == []
  assert os.listdir(made.split_folder) == ['examples']


def test_a_row_twice(build):
  made = build(10)
  with made.writer('m') as writer:
    writer.create('logits', shape=(10, 3), dtype='float32')
    writer.write('logits', 2, made.logits()[2:6])
    with pytest.raises(errors.DataError, match=r"'m' .* got row 5 again"):
      writer.write('logits', 5, made.logits()[5:])
    writer.write('logits', 0, made.logits()[:2])
    writer.write('logits', 6, made.logits()[6:])
    writer.finish({})
  np.testing.assert_array_equal(made.read('m'), made.logits())


@pytest.mark.parametrize(
  ('name', 'values', 'text'),
  [
    ('logits', np.zeros((2, 4), np.float32), r'\[3\], got float32 \[4\]'),
    ('logits', np.zeros((2,), np.float32), r'\[3\], got float32 \[\]'),
    ('logits', np.float32(0), r'\[3\], got float32 \[\]'),
    ('logits', np.zeros((2, 3), complex), 'complex128'),
    ('predicted', np.zeros(2), 'int32 and .* got float64'),
    ('predicted', np.array([0, 3]), r'\[0, 3\).* got 3'),
    ('predicted', np.array([1 << 32, 0]), r'\[0, 3\)'),
    ('predicted', np.array([0, -2]), 'got -2'),
  ],
)
def test_values_that_do_not_fit(build, name, values, text):
  made = build(10)
  with made.writer('m') as writer:
    writer.create('logits', shape=(10, 3), dtype='float32')
    writer.create('predicted', shape=(10,), dtype='int32')
    with pytest.raises(errors.DataError, match=text):
      writer.write(name, 0, values)


def test_arrays_that_do_not_fit(build):
  writer = build(10).writer('m')
  with pytest.raises(errors.UsageError, match="mean 'logits'"):
    writer.create('logit', shape=(10, 3), dtype='float32')
  with pytest.raises(errors.DataError, match='must have 10 rows'):
    writer.create('logits', shape=(9, 3), dtype='float32')
  with pytest.raises(errors.DataError, match='must have 3 columns'):
    writer.create('logits', shape=(10, 2), dtype='float32')
  with pytest.raises(errors.DataError, match='must be float32'):
    writer.create('logits', shape=(10, 3), dtype=np.float64)


def test_misuse(build):
  made = build(4)
  with pytest.raises(ValueError, match='token'):
    made.writer('m', primary=False)
  writer = made.writer('m')
  with pytest.raises(ValueError, match='made first'):
    writer.write('logits', 0, made.logits())
  with pytest.raises(ValueError, match='an array at least'):
    writer.finish({})
  writer.create('logits', shape=(4, 3), dtype='float32')
  with pytest.raises(ValueError, match='made once'):
    writer.create('logits', shape=(4, 3), dtype='float32')
  for start in (-1, 1, 5):
    with pytest.raises(ValueError, match='Rows must be within'):
      writer.write('logits', start, made.logits())
  writer.write('logits', 0, made.logits())
  with pytest.raises(ValueError, match='model is'):
    writer.finish({'model': 'another'})
  with pytest.raises((TypeError, ValueError)):
    writer.finish({'loss': float('nan')})
  writer.finish({'model': 'm'})
  with pytest.raises(ValueError, match='not be finished'):
    writer.write('logits', 0, made.logits())
  writer.abort()
  assert made.models() == ['m']


def test_no_examples_yet(tmp_path):
  with pytest.raises(errors.DataError, match='write them first'):
    store.RecordWriter(tmp_path, dataset='d', split='s', model='m')


def test_the_record_is_a_file_as_it_was_returned(build):
  made = build(4)
  record = made.add('m', logits=made.logits(), record={'axes': {'seed': '1'}})
  text = (made.folder('m') / 'record.json').read_text()
  assert text == records.text(record)

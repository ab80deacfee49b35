"""Chunks, slices, names and ids."""

import hashlib
import itertools

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from overlap.core import errors, files
from overlap.store import schema


@pytest.mark.parametrize(
  ('row_bytes', 'rows'),
  [
    (0, 65536),
    (4, 65536),
    (40, 32768),  # 10 classes: 1.25 MiB
    (4000, 512),  # 1000 classes: 1.95 MiB
    (8192, 256),  # 2048 features: 2 MiB
    (1 << 21, 1),
    (1 << 30, 1),
  ],
)
def test_chunk_rows(row_bytes, rows):
  assert schema.chunk_rows(row_bytes) == rows


@hypothesis.given(st.integers(32, 1 << 20))
def test_chunks_are_one_to_two_mebibytes_and_nest(row_bytes):
  rows = schema.chunk_rows(row_bytes)
  assert (1 << 20) < rows * row_bytes <= (2 << 20)
  assert rows & (rows - 1) == 0


@hypothesis.given(st.integers(0, 5000), st.integers(1, 40), st.integers(1, 600))
def test_process_slices_cover_all_rows_in_whole_chunks(rows, count, chunk):
  slices = schema.process_slices(rows, count, chunk)
  assert len(slices) == count
  covered = itertools.chain.from_iterable(itertools.starmap(range, slices))
  assert list(covered) == list(range(rows))
  for start, stop in slices:
    assert start <= stop
    assert start % chunk == 0 or start == rows
    assert stop % chunk == 0 or stop == rows
  chunks = [-(-(stop - start) // chunk) for start, stop in slices]
  assert max(chunks) - min(chunks) <= 1


@pytest.mark.parametrize(
  ('model', 'component'),
  [
    ('base', 'base'),
    ('google/vit-b', 'google%2Fvit-b'),
    ('..', '%2E.'),
    ('.hidden', '%2Ehidden'),
    ('examples', '%65xamples'),
    ('Réseau 50', 'R%C3%A9seau 50'),
  ],
)
def test_model_component(model, component):
  assert schema.model_component(model) == component
  assert files.decode_name(component) == model


@hypothesis.given(
  st.text(st.characters(exclude_categories=['Cs']), min_size=1, max_size=16)
)
def test_components_are_safe_and_invertible(model):
  component = schema.model_component(model)
  assert files.decode_name(component) == model
  assert '/' not in component
  assert not component.startswith('.')
  assert component != schema.EXAMPLES


@pytest.mark.parametrize('model', ['', 'm' * 201, 'é' * 50])
def test_impossible_names_are_usage_errors(model):
  with pytest.raises(errors.UsageError):
    schema.model_component(model)


@pytest.mark.parametrize('size', [0, 1, 5])
@pytest.mark.parametrize('text', ['{}', 'x{}é', '{}' + 20 * '雪'])
def test_ids_round_trip(size, text):
  ids = np.array([text.format(10**index) for index in range(size)], np.str_)
  encoded = schema.encode_ids(ids)
  assert encoded.dtype == np.uint8
  assert encoded.shape[0] == size
  decoded = schema.decode_ids(encoded)
  assert decoded.dtype.kind == 'U'
  np.testing.assert_array_equal(decoded, ids)


def test_ids_hash_is_of_each_id_and_a_zero():
  expected = hashlib.sha256(b'a\0\xc3\xa9bc\0').hexdigest()
  assert schema.ids_hash(['a', 'ébc']) == expected
  assert schema.ids_hash(['ébc', 'a']) != expected
  assert schema.ids_hash(['aé', 'bc']) != expected


@pytest.mark.parametrize(
  ('ids', 'text'),
  [
    (['a', ''], 'row 1'),
    (['a', 'b', 'a'], "'a'"),
    ([['a']], r'\[1, 1\]'),
    (['\ud800'], 'Unicode'),
  ],
)
def test_faulty_ids(ids, text):
  with pytest.raises(errors.DataError, match=text):
    schema.encode_ids(ids)


@pytest.mark.parametrize(
  ('name', 'shape', 'dtype', 'fault'),
  [
    ('logits', (5, 3), 'float32', ''),
    ('features', (5, 0), 'float32', ''),
    ('predicted', (5,), 'int32', ''),
    ('confidence', (5,), 'float32', ''),
    ('logits', (5, 4), 'float32', '3 columns'),
    ('logits', (4, 3), 'float32', '5 rows'),
    ('logits', (5,), 'float32', '2 dimensions'),
    ('logits', (5, 3), 'float64', 'float32, got float64'),
    ('predicted', (5,), 'int64', 'int32, got int64'),
  ],
)
def test_shape_fault(name, shape, dtype, fault):
  got = schema.shape_fault(name, shape, dtype, rows=5, classes=3)
  assert fault in got
  assert bool(fault) == bool(got)

"""Arrays by name: npy, npz and safetensors."""

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from overlap.core import errors
from overlap.ingest import arrays, source

READERS = {
  'npz': (arrays.read_npz, lambda path, **values: np.savez(path, **values)),
  'compressed npz': (
    arrays.read_npz,
    lambda path, **values: np.savez_compressed(path, **values),
  ),
  'safetensors': (
    arrays.read_safetensors,
    lambda path, **values: safetensors.numpy.save_file(values, path),
  ),
}


@pytest.fixture(params=READERS)
def read(request, tmp_path):
  """Writes arrays and reads them back as a source."""
  reader, write = READERS[request.param]

  def made(**values) -> source.Source:
    path = tmp_path / f'm.{request.param.rpartition(" ")[2]}'
    write(path, **values)
    return reader(str(path))

  return made


def whole(found: source.Source) -> np.ndarray:
  return np.concatenate([block for _, block in found.blocks()])


LOGITS = np.random.default_rng(0).normal(size=(11, 3)).astype(np.float32)


@pytest.mark.parametrize(
  ('name', 'kind'),
  [
    ('logits', 'logits'), ('probabilities', 'probs'),
    ('probs', 'probs'), ('log_probs', 'log_probs'),
    ('log_probabilities', 'log_probs'), ('out', ''),
  ],
)  # fmt: skip
def test_scores_by_name(read, name, kind, monkeypatch):
  monkeypatch.setattr(source, 'BLOCK_BYTES', 2 * 12)
  found = read(**{name: LOGITS})
  assert (found.kind, found.rows, found.classes) == (kind, 11, 3)
  assert len(list(found.blocks())) == 6
  np.testing.assert_array_equal(whole(found), LOGITS)
  np.testing.assert_array_equal(whole(found), LOGITS)  # Once more.


@pytest.mark.parametrize('name', ['predicted', 'predictions', 'classes', 'out'])
def test_classes_by_name(read, name):
  found = read(
    **{name: np.array([2, 0, 1])}, labels=np.array([1, 1, 1]),
    confidence=np.array([0.5, 1, 0.25]), ids=np.array([7, 8, 9]),
  )  # fmt: skip
  assert found.kind == 'classes'
  assert found.predicted.tolist() == [2, 0, 1]
  assert found.confidence.tolist() == [0.5, 1, 0.25]
  assert found.ids.tolist() == ['7', '8', '9']
  assert found.labels.tolist() == [1, 1, 1]


def test_text_in_an_npz(tmp_path):
  np.savez(
    tmp_path / 'm.npz', predicted=['cat', 'dog'], ids=['a', 'b'],
    class_names=['cat', 'dog'],
  )  # fmt: skip
  found = arrays.read_npz(str(tmp_path / 'm.npz'))
  assert found.predicted.tolist() == ['cat', 'dog']
  assert found.class_names == ('cat', 'dog')


@pytest.mark.parametrize('dtype', ['f2', 'f8', 'i4', 'u1'])
def test_numbers_of_every_type(read, dtype):
  values = np.arange(6).reshape(3, 2).astype(dtype)
  np.testing.assert_array_equal(whole(read(logits=values)), values)


@pytest.mark.parametrize('extension', ['safetensors', 'npy', 'npz'])
def test_bfloat16(case, extension):
  path = case.folder / f'm.{extension}'
  values = case.logits.astype(ml_dtypes.bfloat16)
  if extension == 'safetensors':
    safetensors.numpy.save_file({'logits': values}, path)
  elif extension == 'npy':
    np.save(path, values)
  else:
    np.savez(path, logits=values)
  ((record, _),) = case.ingest(path)
  np.testing.assert_array_equal(case.read('m'), values.astype(np.float32))
  # NumPy's files don't name the type.
  guessed = [note for note in record['notes'] if 'bfloat16' in note]
  assert len(guessed) == (extension != 'safetensors')


@pytest.mark.parametrize(
  ('values', 'got'),
  [
    ({'logits': LOGITS[:, 0]}, r'logits of .* must be \[rows, classes\]'),
    ({'predicted': LOGITS}, r'got float32 of shape \[11, 3\]'),
    ({'logits': LOGITS[None]}, r'got float32 of shape \[1, 11, 3\]'),
    ({'logits': LOGITS > 0}, r'got (bool|BOOL)'),
    ({'a': LOGITS, 'b': LOGITS}, 'got a, b'),
    ({'logits': LOGITS, 'probs': LOGITS}, 'got logits, probs'),
    ({'ids': np.arange(3)}, 'got ids'),
    ({'predicted': np.array([0.5])}, 'whole numbers, got 0.5 in row 0'),
  ],
)
def test_what_is_refused(read, values, got):
  with pytest.raises(errors.DataError, match=got):
    read(**values)


def test_what_stands_beside_known_names_is_left_alone(read):
  found = read(logits=LOGITS, features=np.zeros((11, 2)))
  np.testing.assert_array_equal(whole(found), LOGITS)


def test_an_empty_npz(tmp_path):
  np.savez(tmp_path / 'm.npz')
  with pytest.raises(errors.DataError, match='got none'):
    arrays.read_npz(str(tmp_path / 'm.npz'))


@pytest.mark.parametrize('values', [[2, 0], np.array(['a', 'b'])])
def test_load_npy(tmp_path, values):
  np.save(tmp_path / 'x.npy', values)
  np.testing.assert_array_equal(
    arrays.load_npy(str(tmp_path / 'x.npy')), values
  )


def test_npy(tmp_path):
  np.save(tmp_path / 'm.npy', LOGITS)
  found = arrays.read_npy(str(tmp_path / 'm.npy'))
  assert (found.kind, found.rows, found.classes) == ('', 11, 3)
  np.testing.assert_array_equal(whole(found), LOGITS)

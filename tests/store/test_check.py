"""Every fault is found, and named."""

import os
import pathlib
import random
import shutil

import numpy as np
import pytest

from overlap import store
from overlap.core import errors, files
from overlap.store import arrays, examples, records


@pytest.fixture
def made(build, small_chunks):
  """Two models over 40 examples; all arrays; some dozen chunks each."""
  made = build(40)
  made.add('m', logits=made.logits(), features=np.ones((40, 5), np.float32))
  made.add(
    'hard/labels',
    predicted=np.int32(np.arange(40) % 3),
    confidence=np.zeros(40, np.float32),
  )
  return made


def _files(made) -> list[pathlib.Path]:
  return sorted(path for path in made.workdir.rglob('*') if path.is_file())


def swap(first: pathlib.Path, second: pathlib.Path) -> None:
  aside = first.parent / 'aside'
  os.rename(first, aside)
  os.rename(second, first)
  os.rename(aside, second)


def test_an_intact_store(made):
  assert len(_files(made)) > 40
  assert made.faults() == []


def test_every_flipped_bit_is_found(made):
  rng = random.Random(0)
  paths = _files(made)
  for trial in range(200):
    path = paths[trial % len(paths)]
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
    path.write_bytes(flipped)
    faults = made.faults()
    assert faults, path
    assert all('\n' not in fault for fault in faults)
    path.write_bytes(content)
  assert made.faults() == []


def test_every_shortened_lengthened_or_deleted_file_is_found(made):
  for path in _files(made):
    content = path.read_bytes()
    for other in (
      b'',
      content[: len(content) // 2],
      content[:-1],
      content + b'\n',
    ):
      path.write_bytes(other)
      assert made.faults(), path
    path.unlink()
    assert made.faults(), path
    path.write_bytes(content)
  assert made.faults() == []


def test_a_lengthened_chunk_has_its_values_and_is_found(made):
  chunk = made.folder('m') / 'logits/c/1/0'
  chunk.write_bytes(chunk.read_bytes() + b'x')
  np.testing.assert_array_equal(made.read('m'), made.logits())
  (fault,) = made.faults()
  assert 'must have chunks of 52 bytes, and has longer 1' in fault


def test_swapped_chunks_pass_their_own_checksums_and_are_found(made):
  swap(*(made.folder('m') / 'logits/c' / name for name in '01'))
  (fault,) = made.faults()
  assert fault.startswith(
    "logits of model 'm' over shapes/test must have sha256"
  )
  assert fault.endswith('delete the folder and predict or ingest it again.')


def test_one_line_names_model_and_array(made):
  chunk = made.folder('hard/labels') / 'predicted/c/1'
  chunk.write_bytes(chunk.read_bytes()[:-1])
  (fault,) = made.faults()
  assert fault.startswith(
    "predicted of model 'hard/labels' over shapes/test must be readable"
  )


@pytest.mark.parametrize(
  ('name', 'folder', 'text'),
  [
    ('predictions/stray', False, 'is a file'),
    ('predictions/shapes/stray', False, 'is a file'),
    ('predictions/shapes/test/stray', False, 'is a file'),
    ('predictions/shapes/test/stray', True, 'is no record'),
    ('predictions/shapes/test/a:b', True, 'must be called a%3Ab'),
    ('predictions/a:b', True, 'must be called a%3Ab'),
    ('predictions/shapes/test/m/stray', True, 'no record names it'),
    ('predictions/shapes/test/m/logits/c/99/0', False, 'no other files'),
    ('predictions/shapes/test/examples/stray', False, 'no record names it'),
  ],
)
def test_strays(made, name, folder, text):
  path = made.workdir / name
  if folder:
    path.mkdir(parents=True)
  else:
    path.parent.mkdir(exist_ok=True)
    path.write_text('x')
  (fault,) = made.faults()
  assert text in fault


def test_a_model_without_examples(made):
  (made.workdir / 'predictions/shapes/other/m').mkdir(parents=True)
  faults = made.faults()
  assert 'must hold the examples' in faults[0]
  assert len(faults) == 2  # The model's folder is no record, either.


def test_what_is_being_written_is_no_fault(made):
  writer = made.writer('n')
  writer.create('logits', shape=(40, 3), dtype='float32')
  writer.write('logits', 0, made.logits()[:20])
  writer.flush()
  (made.split_folder / '.DS_Store').write_text('x')
  (made.folder('m') / '.DS_Store').write_text('x')
  (made.folder('m') / 'logits/.DS_Store').write_text('x')
  assert made.faults() == []
  writer.abort()


def _forge(folder: pathlib.Path, change) -> None:
  """Edits a record and mends its checksum."""
  record = files.read_json(folder / 'record.json')
  change(record)
  text = records.text(records.seal(record))
  (folder / 'record.json').write_text(text)


@pytest.mark.parametrize(
  ('change', 'text'),
  [
    (lambda r: r.update(num_examples=41), 'must have 41 rows'),
    (lambda r: r.update(num_classes=4), 'must have 4 columns'),
    (lambda r: r.update(ids_hash='0'), 'must have ids_hash'),
    (lambda r: r.update(model='x'), "must have model 'm'"),
    (lambda r: r.update(split='x'), "must have split 'test'"),
    (
      lambda r: r['arrays']['logits'].update(sha256='0' * 64),
      'have sha256 000',
    ),
    (lambda r: r['arrays']['logits'].update(dtype='int32'), 'must be float32'),
    (lambda r: r['arrays']['logits'].update(non_finite=1), 'non_finite 1'),
    (lambda r: r['arrays']['logits'].update(shape=[40, 2]), '3 columns'),
    (lambda r: r['arrays']['features'].update(shape=[40, 4]), '"shape"'),
    (lambda r: r['arrays'].pop('logits'), 'no record names it'),
  ],
)
def test_records_that_disagree_with_their_arrays(made, change, text):
  _forge(made.folder('m'), change)
  faults = made.faults()
  assert any(text in fault for fault in faults), faults


def _hostile_values():
  for value in (10**12, 10**30, -1, 1.5, True, '40', None, [40]):
    yield lambda r, value=value: r.update(num_examples=value)
    yield lambda r, value=value: r.update(num_classes=value)
    yield lambda r, value=value: _logits(r).update(chunk_rows=value)
    yield lambda r, value=value: _logits(r).update(shape=[value, 3])
    yield lambda r, value=value: _logits(r).update(shape=[40, value])
    yield lambda r, value=value: _logits(r).update(shape=value)
  for value in (None, 'float99', '|O', 'object', 7, ['float32'], {}):
    yield lambda r, value=value: _logits(r).update(dtype=value)
    yield lambda r, value=value: _logits(r).update(sha256=value)
    yield lambda r, value=value: _logits(r).update(crc32c=value)
    yield lambda r, value=value: r['arrays'].update(logits=value)
    yield lambda r, value=value: r.update(arrays=value)
  for name in ('shape', 'dtype', 'chunk_rows', 'crc32c', 'sha256'):
    yield lambda r, name=name: _logits(r).pop(name)
  yield lambda r: _logits(r).update(chunk_rows=0)
  yield lambda r: _logits(r).update(shape=[10**12, 3], chunk_rows=10**12)
  yield lambda r: r['arrays'].update({'../../../etc': _logits(r)})


def _logits(record):
  return record['arrays']['logits']


def test_impossible_claims_of_a_record_are_one_line_each(made):
  folder = made.folder('m')
  content = (folder / 'record.json').read_bytes()
  for change in _hostile_values():
    _forge(folder, change)
    claim = (folder / 'record.json').read_text()
    faults = made.faults()
    assert len(faults) == 1, (claim, faults)
    assert "'m'" in faults[0]
    assert '\n' not in faults[0]
    with pytest.raises(errors.DataError):
      made.read('m')
    (folder / 'record.json').write_bytes(content)
  assert made.faults() == []


@pytest.mark.parametrize(
  'change',
  [
    lambda r: r.update(num_examples=10**12),
    lambda r: r.update(class_names=['a', 'b']),
    lambda r: r.update(class_names=3),
    lambda r: r['arrays'].pop('labels'),
    lambda r: r['arrays']['labels'].update(shape=[-40]),
    lambda r: r['arrays']['ids'].update(crc32c=''),
    lambda r: r['arrays'].update(logits=r['arrays']['labels']),
  ],
)
def test_impossible_claims_of_the_examples(made, change):
  _forge(made.split_folder / 'examples', change)
  faults = made.faults()
  assert faults
  assert all('examples of shapes/test' in fault for fault in faults)
  with pytest.raises(errors.DataError, match='examples of shapes/test'):
    store.Store(made.workdir).examples('shapes', 'test')


def test_an_array_of_another_name(made):
  folder = made.folder('m')
  os.rename(folder / 'logits', folder / 'scores')

  def rename(record):
    record['arrays']['scores'] = record['arrays'].pop('logits')

  _forge(folder, rename)
  (fault,) = made.faults()
  assert 'no arrays but' in fault
  assert fault.endswith('again.')


def _rewrite(folder: pathlib.Path, name: str, values: np.ndarray) -> None:
  """Replaces an array, with checksums that hold."""
  shutil.rmtree(folder / name)
  layout = arrays.Layout.of(values.shape, values.dtype.name)
  arrays.create(folder / name, layout).write(values).result()
  entry = arrays.describe(folder / name, layout)
  _forge(folder, lambda record: record['arrays'].update({name: entry}))


def test_labels_and_predictions_outside_the_classes(made):
  labels = np.int32(np.arange(40) % 3)
  labels[7] = 3
  _rewrite(made.split_folder / 'examples', 'labels', labels)
  (fault,) = made.faults()
  assert 'labels of the examples of shapes/test must be in [0, 3)' in fault
  labels[7] = 0
  _rewrite(made.split_folder / 'examples', 'labels', labels)
  # -1 is no class, which a model may give.
  labels[[7, 9, 11]] = -2, -2, -1
  _rewrite(made.folder('hard/labels'), 'predicted', labels)
  (fault,) = made.faults()
  assert fault.startswith("predicted of model 'hard/labels'")
  assert 'got -2 and 1 more' in fault


@pytest.mark.parametrize(
  ('row', 'text'), [(b'id-1', "'id-1' more than once"), (b'\xff', 'be UTF-8')]
)
def test_faulty_ids(made, row, text):
  record = examples.read_record(made.workdir, 'shapes', 'test')
  encoded = examples.read_array(made.workdir, record, 'ids')
  encoded[0] = np.frombuffer(row.ljust(encoded.shape[1], b'\0'), np.uint8)
  _rewrite(made.split_folder / 'examples', 'ids', encoded)
  assert any(text in fault for fault in made.faults())


def test_ids_of_another_order(made):
  record = examples.read_record(made.workdir, 'shapes', 'test')
  encoded = examples.read_array(made.workdir, record, 'ids')
  _rewrite(made.split_folder / 'examples', 'ids', encoded[::-1].copy())
  (fault,) = made.faults()
  assert 'ids of the examples of shapes/test must have ids_hash' in fault


def test_examples_that_are_gone(made):
  shutil.rmtree(made.split_folder / 'examples')
  faults = made.faults()
  assert all('must hold the examples of shapes/test' in f for f in faults)
  with pytest.raises(errors.DataError):
    store.Store(made.workdir).examples('shapes', 'test')


def test_a_record_written_with_other_spaces(made):
  path = made.folder('m') / 'record.json'
  path.write_text(files.canonical_json(files.read_json(path)))
  made.read('m')
  (fault,) = made.faults()
  assert 'must be as it was written' in fault


def test_a_copied_model(made):
  shutil.copytree(made.folder('m'), made.folder('n'))
  (fault,) = made.faults()
  assert "must have model 'n', got 'm'" in fault

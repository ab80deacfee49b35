"""What the store says it has, and what it refuses to read."""

import os
import pathlib
import shutil

import numpy as np
import pytest

from overlap import store
from overlap.core import errors, files
from overlap.store import records, schema


@pytest.fixture
def made(build, small_chunks):
  """One model `m`, of 15 chunks of four rows."""
  made = build(60)
  made.add('m', logits=made.logits())
  return made


def test_nothing_yet(tmp_path):
  empty = store.Store(tmp_path / 'absent')
  assert empty.splits() == []
  assert empty.models('d', 's') == []
  with pytest.raises(errors.DataError, match='write them first'):
    empty.examples('d', 's')
  assert empty.record('d', 's', 'm') is None
  with pytest.raises(errors.DataError, match='There are none'):
    empty.read('d', 's', 'm')
  assert list(store.check_store(tmp_path / 'absent')) == []


def test_splits_and_models(tmp_path):
  splits = [('b', 'test'), ('a/x', 'train'), ('a/x', 'held out')]
  for dataset, split in splits:
    store.write_examples(
      tmp_path,
      dataset=dataset,
      split=split,
      ids=['1'],
      labels=[0],
      class_names=['c'],
    )
  opened = store.Store(str(tmp_path))
  assert opened.splits() == sorted(splits)
  assert opened.models('b', 'test') == []
  assert list(store.check_store(tmp_path)) == []


@pytest.mark.parametrize(
  ('start', 'stop'),
  [(0, 60), (0, 0), (60, 60), (4, 5), (5, 10), (3, 27), (59, 60), (7, None)],
)
def test_ranges(made, start, stop):
  read = made.read('m', 'logits', start, stop)
  np.testing.assert_array_equal(read, made.logits()[start:stop])
  assert read.dtype == np.float32
  assert read.flags.c_contiguous
  assert read.flags.writeable


@pytest.mark.parametrize(('start', 'stop'), [(-1, 5), (5, 4), (0, 61)])
def test_impossible_ranges(made, start, stop):
  with pytest.raises(ValueError, match='Rows must be within'):
    made.read('m', 'logits', start, stop)


def test_absent_models_and_arrays(made):
  with pytest.raises(errors.DataError, match=r"Did you mean 'm'\? .*are m\."):
    made.read('mm')
  with pytest.raises(errors.DataError, match=r'no features .* it has logits'):
    made.read('m', 'features')


def test_a_deleted_chunk_is_no_zeros(made):
  (made.folder('m') / 'logits/c/3/0').unlink()
  with pytest.raises(
    errors.DataError, match=r"logits of model 'm' .* missing.*again\.$"
  ):
    made.read('m')
  np.testing.assert_array_equal(
    made.read('m', 'logits', 0, 12), made.logits()[:12]
  )
  with pytest.raises(errors.DataError, match='missing'):
    made.read('m', 'logits', 15, 21)


@pytest.mark.parametrize('size', [0, 1, 40, 48, 51])
def test_a_shortened_chunk(made, size):
  chunk = made.folder('m') / 'logits/c/3/0'
  content = chunk.read_bytes()
  assert len(content) == 52  # Four rows of three, and a checksum.
  chunk.write_bytes(content[:size])
  with pytest.raises(errors.DataError, match="logits of model 'm'"):
    made.read('m')


@pytest.mark.parametrize('offset', [0, 31, 47, 48, 51])
def test_a_damaged_chunk(made, offset):
  chunk = made.folder('m') / 'logits/c/3/0'
  content = bytearray(chunk.read_bytes())
  content[offset] ^= 4
  chunk.write_bytes(content)
  with pytest.raises(errors.DataError, match=r"'m' .*Digest mismatch"):
    made.read('m')


def _two_models(made) -> dict[str, dict[str, np.ndarray]]:
  """Adds models `a` and `b` with all arrays; returns their values."""
  models = {}
  for seed, name in enumerate('ab', 1):
    rng = np.random.default_rng(seed)
    models[name] = {
      'logits': made.logits(seed),
      'features': rng.normal(size=(60, 5)).astype(np.float32),
    }
    models[f'hard {name}'] = {
      'predicted': rng.integers(0, 3, 60, np.int32),
      'confidence': rng.random(60, np.float32),
    }
  for name, values in models.items():
    made.add(name, **values)
  return models


def _swap(first: pathlib.Path, second: pathlib.Path) -> None:
  aside = first.parent / 'aside'
  os.rename(first, aside)
  os.rename(second, first)
  os.rename(aside, second)


@pytest.mark.parametrize('name', schema.MODEL_ARRAYS)
def test_values_of_another_model_are_refused(made, name):
  models = _two_models(made)
  one, two = (model for model in models if name in models[model])
  _swap(made.folder(one) / name, made.folder(two) / name)
  for model in (one, two):
    for rows in [(), (0, 1), (59, 60), (7, 20)]:
      with pytest.raises(
        errors.DataError,
        match=f"^{name} of model '{model}' over shapes/test must be readable, "
        r'got: rows \d+ to \d+ that are not those its record.json describes: '
        'delete the folder and predict or ingest it again.$',
      ):
        made.read(model, name, *rows)
  _swap(made.folder(one) / name, made.folder(two) / name)
  for model in (one, two):
    np.testing.assert_array_equal(made.read(model, name), models[model][name])


def test_only_rows_of_misplaced_chunks_are_refused(made):
  logits = made.logits()
  chunks = made.folder('m') / 'logits/c'
  _swap(chunks / '3/0', chunks / '5/0')  # Of four rows each.
  refused = [
    start for start in range(0, 60, 4) if _is_refused(made, start, start + 4)
  ]
  assert refused == [12, 20]
  np.testing.assert_array_equal(made.read('m', 'logits', 24), logits[24:])
  with pytest.raises(errors.DataError, match='rows 12 to 15'):
    made.read('m')


def _is_refused(made, start: int, stop: int) -> bool:
  try:
    made.read('m', 'logits', start, stop)
  except errors.DataError:
    return True
  return False


def test_a_copy_cut_off_between_chunks_and_record_is_refused(made, tmp_path):
  old = tmp_path / 'old'
  shutil.copytree(made.workdir, old)
  with made.writer('m', replace=True) as writer:
    writer.create('logits', shape=(60, 3), dtype='float32')
    writer.write('logits', 0, made.logits(1))
    writer.finish({})
  within = made.folder('m').relative_to(made.workdir)
  last = 'logits/c/14/0'
  shutil.copy(made.folder('m') / last, old / within / last)
  copy = store.Store(old)
  with pytest.raises(errors.DataError, match='rows 56 to 59'):
    copy.read('shapes', 'test', 'm')
  shutil.copytree(made.folder('m'), old / within, dirs_exist_ok=True)
  np.testing.assert_array_equal(
    copy.read('shapes', 'test', 'm'), made.logits(1)
  )


def test_labels_of_another_split_are_refused(made, build):
  other = build(60, num_classes=2, name='other')
  for name in ('labels', 'ids'):
    ours, theirs = (m.split_folder / 'examples' / name for m in (made, other))
    shutil.copytree(theirs, ours, dirs_exist_ok=True)
  with pytest.raises(errors.DataError, match='labels of the examples'):
    store.Store(made.workdir).examples('shapes', 'test')


def test_damaged_metadata(made):
  metadata = made.folder('m') / 'logits/zarr.json'
  text = metadata.read_text()
  for content in ('', '{}', text[:-1], text.replace('[60,3]', '[61,3]')):
    assert content != text
    metadata.write_text(content)
    with pytest.raises(errors.DataError, match="logits of model 'm'"):
      made.read('m')
  shutil.rmtree(metadata.parent)
  with pytest.raises(errors.DataError, match='does not exist'):
    made.read('m')


def test_an_edited_record(made):
  path = made.folder('m') / 'record.json'
  path.write_text(
    path.read_text().replace('"num_classes": 3', '"num_classes": 2')
  )
  for call in (
    made.read,
    lambda m: store.Store(made.workdir).record('shapes', 'test', m),
  ):
    with pytest.raises(errors.DataError, match='own checksum'):
      call('m')
  assert made.models() == ['m']


def test_a_copied_record(made):
  shutil.copytree(made.folder('m'), made.folder('n'))
  with pytest.raises(errors.DataError, match="must have model 'n', got 'm'"):
    made.read('n')


def test_rows_of_another_order_are_refused(made):
  folder = schema.examples_folder(made.workdir, 'shapes', 'test')
  shutil.rmtree(folder)
  store.write_examples(
    made.workdir,
    dataset='shapes',
    split='test',
    ids=[f'id-{index}' for index in reversed(range(60))],
    labels=[0] * 60,
    class_names=['a', 'b', 'c'],
  )
  with pytest.raises(errors.DataError, match='must have ids_hash'):
    made.read('m')
  with pytest.raises(errors.DataError, match='must have ids_hash'):
    store.Store(made.workdir).record('shapes', 'test', 'm')


def test_a_record_without_examples_is_refused(made):
  shutil.rmtree(schema.examples_folder(made.workdir, 'shapes', 'test'))
  with pytest.raises(errors.DataError, match='must hold the examples'):
    made.read('m')


def test_a_later_version(made):
  path = made.folder('m') / 'record.json'
  record = files.read_json(path) | {'format_version': 3}
  path.write_text(records.text(record))
  with pytest.raises(errors.DataError, match='format_version 2, got 3'):
    made.read('m')


def test_folders_that_are_no_records_are_not_listed(made):
  (made.split_folder / 'empty').mkdir()
  (made.split_folder / 'file').write_text('x')
  shutil.copytree(
    made.folder('m'), made.split_folder / '.m.0123456789ab.partial'
  )
  os.mkdir(made.split_folder / 'odd')
  (made.split_folder / 'odd/record.json').mkdir()
  assert made.models() == ['m']


def test_damaged_examples(made):
  folder = made.split_folder / 'examples'
  for name in ('ids', 'labels'):
    chunk = min(
      path for path in folder.glob(f'{name}/c/**/*') if path.is_file()
    )
    content = chunk.read_bytes()
    chunk.write_bytes(content[:-1])
    with pytest.raises(errors.DataError, match=f'{name} of the examples of'):
      store.Store(made.workdir).examples('shapes', 'test')
    chunk.write_bytes(content)
  assert len(store.Store(made.workdir).examples('shapes', 'test')) == 60

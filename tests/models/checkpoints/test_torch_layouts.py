"""Files cut short, damaged, and put together otherwise."""

import io
import zipfile

import numpy as np
import pytest

from overlap.core import errors
from overlap.models.checkpoints import torch_layouts

torch = pytest.importorskip('torch')

SMALL = {
  'a': torch.arange(6.0).reshape(2, 3).T,
  'b': torch.arange(3),
  'e': torch.zeros(0),
}


def assert_small(got):
  assert list(got) == list(SMALL)
  for name, tensor in SMALL.items():
    np.testing.assert_array_equal(got[name], tensor.numpy(), strict=True)


def rewritten(content, *, change=None, compression=zipfile.ZIP_STORED):
  """The zip archive with some of its files replaced, added or (None) gone."""
  buffer = io.BytesIO()
  with zipfile.ZipFile(io.BytesIO(content)) as old:
    files = {name: old.read(name) for name in old.namelist()}
  files |= {f'archive/{name}': value for name, value in (change or {}).items()}
  with zipfile.ZipFile(buffer, 'w', compression) as new:
    for name, value in files.items():
      if value is not None:
        new.writestr(name, value)
  return buffer.getvalue()


def object_in(content):
  with zipfile.ZipFile(io.BytesIO(content)) as archive:
    return archive.read('archive/data.pkl')


def damaged(content, rng):
  """The bytes with one to three of them changed."""
  changed = np.frombuffer(content, np.uint8).copy()
  where = rng.integers(len(content), size=rng.integers(1, 4))
  changed[where] ^= rng.integers(1, 256, size=len(where), dtype=np.uint8)
  return changed.tobytes()


def is_refused(load, content):
  """Loads; anything but arrays or a DataError of one short line fails."""
  try:
    arrays, fault = load(content), None
  except errors.DataError as e:
    arrays, fault = {}, str(e)
  if fault is not None:
    assert len(fault) < 700
    return True
  assert all(isinstance(array, np.ndarray) for array in arrays.values())
  # Reads the numbers, but for those of a view that repeats itself for ever.
  assert all(
    a.size > 2**20 or a.copy().shape == a.shape for a in arrays.values()
  )
  return False


def test_a_file_cut_short_anywhere(load, saved):
  content = saved(SMALL)
  for length in np.linspace(0, len(content) - 1, 200).astype(int):
    with pytest.raises(errors.DataError):
      load(content[:length])


def test_a_damaged_file(load, saved):
  content = saved({**SMALL, 'c': torch.ones(2).bfloat16()})
  rng = np.random.default_rng(0)
  refused = [is_refused(load, damaged(content, rng)) for _ in range(400)]
  assert 0 < sum(refused) < 400


def test_a_damaged_object_whose_checksum_is_right(load, save):
  content = save({'model': {**SMALL, 'c': torch.ones(2)}}, zipped=True)
  whole, rng = object_in(content), np.random.default_rng(0)
  refused = [
    is_refused(
      load, rewritten(content, change={'data.pkl': damaged(whole, rng)})
    )
    for _ in range(400)
  ]
  assert 0 < sum(refused) < 400


def test_a_rewritten_archive(load, save):
  content = save(SMALL, zipped=True)
  assert_small(load(rewritten(content)))
  # PyTorch before 1.13 did not write the order of bytes.
  assert_small(load(rewritten(content, change={'byteorder': None})))


@pytest.mark.parametrize(
  ('change', 'says'),
  [
    ({'byteorder': b'big'}, 'little-endian'),
    ({'data.pkl': None}, "one file 'data.pkl', and has 0"),
    ({'other/data.pkl': b''}, "one file 'data.pkl', and has 2"),
    ({'data/0': None}, 'no item named'),
    ({'data/0': b'1234'}, 'must hold 24 bytes'),
    ({'data/1': bytes(25)}, 'must hold 24 bytes'),
    ({'data.pkl': b''}, 'ends too early'),
  ],
)
def test_an_archive_of_other_files_is_refused(load, save, change, says):
  content = rewritten(save(SMALL, zipped=True), change=change)
  with pytest.raises(errors.DataError, match=says):
    load(content)


def test_compressed_archives_are_refused(load, save):
  content = save(SMALL, zipped=True)
  content = rewritten(content, compression=zipfile.ZIP_DEFLATED)
  with pytest.raises(errors.DataError, match='compressed'):
    load(content)


@pytest.mark.parametrize(
  ('old', 'new', 'says'),
  [
    (b'little_endianq\x02\x88', b'little_endianq\x02\x89', 'little-endian'),
    (b'l\xfc\x9cF', b'l\xfc\x9cG', 'does not start as one'),
    (b'M\xe9\x03.\x80\x02}', b'M\xe8\x03.\x80\x02}', 'does not start as one'),
  ],
)
def test_streams_that_start_otherwise_are_refused(load, save, old, new, says):
  content = save(SMALL, zipped=False)
  assert content.count(old) == 1
  with pytest.raises(errors.DataError, match=says):
    load(content.replace(old, new))


def test_what_follows_the_storages_is_left(load, save):
  assert_small(load(save(SMALL, zipped=False) + b'more'))


@pytest.mark.parametrize('content', [b'', b'P', b'PK', b'\x80', b'weights'])
def test_what_is_no_file_of_pytorch(content):
  with pytest.raises(errors.DataError, match=r'^name\.pth must hold|must be'):
    torch_layouts.read_layout(content, path='name.pth')


def test_storages_are_read_once(save):
  for zipped in (True, False):
    content = save({'a': SMALL['a'], 'b': SMALL['a'][1:]}, zipped=zipped)
    value, fetch = torch_layouts.read_layout(content, path='name.pth')
    storages = [tensor.storage for tensor in value.values()]
    assert fetch(storages[0]) is fetch(storages[1])
    assert fetch(storages[0]).nbytes == 24

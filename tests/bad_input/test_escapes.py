"""Names and archives that lead out of a folder: nothing is written outside."""

import io
import os
import pathlib
import tarfile

import numpy as np
import pytest

from overlap import ingest, store
from overlap.core import errors, files
from overlap.data import pair_shards
from overlap.store import schema
from overlap.workdir import layout

NAMES = (
  '..', '.', '../..', '../../x', '/', '/etc/passwd', 'a/../../b', './a', '...',
  '..\\..\\x', 'C:\\x', '~', '~root', '$HOME', '%2e%2e', '%2E', 'a%2Fb', 'a/b',
  'examples', '%65xamples', 'record.json', '.hidden', 'x.partial', '-rf', 'a b',
  ' a', 'a ', 'A', 'a', 'é', 'e\u0301', 'ﬁ', 'fi', '模型', 'con', '*', '?', "'",
  '"', ';', '|', '&&', '<x>', '😀',
)  # fmt: skip


def everything(folder):
  return {str(path) for path in pathlib.Path(folder).rglob('*')}


def test_every_name_has_a_folder_of_its_own_within(tmp_path):
  root = tmp_path.resolve()
  for make in (
    lambda name: layout.model_folder(root, name),
    lambda name: schema.model_folder(root, 'd', 's', name),
    lambda name: schema.examples_folder(root, name, 's'),
    lambda name: schema.examples_folder(root, 'd', name),
  ):
    paths = [pathlib.Path(os.fspath(make(name))) for name in NAMES]
    assert len(set(paths)) == len(NAMES)
    parents = {os.path.normpath(p.parent) for p in paths}
    assert all(root in pathlib.Path(os.path.normpath(p)).parents for p in paths)
    # Beside each other, or the examples' folders one below.
    assert len({len(pathlib.Path(p).parts) for p in parents}) == 1


@pytest.mark.parametrize('name', NAMES)
def test_a_name_comes_back_as_it_went(name):
  component = files.encode_name(name)
  assert files.decode_name(component) == name
  assert os.sep not in component
  assert not component.startswith('.')
  assert files.check_name('model', name) == name


def test_models_by_any_name_are_kept_apart(tmp_path):
  """Each is ingested, and read back as its own, and none lies elsewhere."""
  outer = tmp_path / 'outer'
  folder, place = outer / 'w', outer / 'files'
  place.mkdir(parents=True)
  labels = place / 'labels.npy'
  np.save(labels, np.arange(8) % 2)
  wanted = {}
  for number, name in enumerate(NAMES):
    predicted = np.array([int(bit) for bit in f'{number:08b}'])
    np.save(place / 'm.npy', predicted)
    ingest.ingest(
      ingest.Request(
        workdir=folder, dataset='../d', split='/s', model=name,
        predictions=str(place / 'm.npy'), labels=str(labels),
      )
    )  # fmt: skip
    wanted[name] = predicted
  reader = store.Store(folder)
  assert reader.models('../d', '/s') == sorted(NAMES)
  for name, predicted in wanted.items():
    found = reader.read('../d', '/s', name, 'predicted')
    np.testing.assert_array_equal(found, predicted)
  assert {p.name for p in tmp_path.iterdir()} == {'outer'}
  assert {p.name for p in outer.iterdir()} == {'w', 'files'}
  assert {p.name for p in folder.iterdir()} == {'predictions'}
  assert not list(store.check_store(folder))


@pytest.mark.parametrize(
  ('kind', 'name', 'target'),
  [
    (tarfile.REGTYPE, '../x.jpg', ''),
    (tarfile.REGTYPE, '/x.jpg', ''),
    (tarfile.REGTYPE, 'a/../x.jpg', ''),
    (tarfile.SYMTYPE, 'x.jpg', '/etc/passwd'),
    (tarfile.SYMTYPE, 'x.jpg', '../../x'),
    (tarfile.LNKTYPE, 'x.jpg', '/etc/passwd'),
    (tarfile.FIFOTYPE, 'x.jpg', ''),
    (tarfile.CHRTYPE, 'x.jpg', ''),
  ],
)
def test_members_of_an_archive_stay_in_it(tmp_path, kind, name, target):
  path = tmp_path / 's.tar'
  with tarfile.open(path, 'w') as archive:
    for member, content in (
      (name, b'pixels'),
      (name.replace('.jpg', '.txt'), b'a caption'),
    ):
      info = tarfile.TarInfo(member)
      if member == name:
        info.type, info.linkname = kind, target
      info.size = len(content) if info.isreg() else 0
      archive.addfile(info, io.BytesIO(content))
  before = everything(tmp_path)
  # A link is no image: what it leads to is never opened.
  if kind == tarfile.REGTYPE:
    shard = pair_shards.ShardPairs(str(path), image_size=4, channels=3)
    content, _ = shard.open(np.arange(len(shard)))
    assert [content(i) for i in range(len(shard))] == [b'pixels']
  else:
    with pytest.raises(errors.DataError, match='must'):
      pair_shards.ShardPairs(str(path), image_size=4, channels=3)
  assert everything(tmp_path) == before

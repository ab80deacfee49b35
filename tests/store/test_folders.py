"""Folders that are there whole or not at all."""

import os

import pytest
from etils import epath

from overlap.core import errors, files
from overlap.store import arrays, folders


def _fill(folder: epath.Path, text: str, *, record: bool = True) -> epath.Path:
  (folder / 'logits/c').mkdir(parents=True)
  (folder / 'logits/c/0').write_text(text)
  if record:
    (folder / 'record.json').write_text(text)
  return folder


@pytest.fixture(params=[True, False], ids=['local', 'cloud'])
def local(request, monkeypatch) -> bool:
  if not request.param:
    monkeypatch.setattr(arrays, 'is_local', lambda path: False)
  return request.param


def _content(folder: epath.Path) -> dict[str, str]:
  return {
    name: (folder / name).read_text() for name in folders.file_names(folder)
  }


def test_publish(tmp_path, local):
  final = epath.Path(tmp_path) / 'a'
  partial = _fill(files.aside(final), 'new')
  folders.publish(partial, final, replace=False)
  assert _content(final) == {'logits/c/0': 'new', 'record.json': 'new'}
  assert os.listdir(tmp_path) == ['a']


def test_publish_refuses_and_replaces(tmp_path, local):
  final = _fill(epath.Path(tmp_path) / 'a', 'old')
  (final / 'logits/c/1').write_text('old')
  partial = _fill(files.aside(final), 'new')
  with pytest.raises(errors.DataError, match='must not hold a record'):
    folders.publish(partial, final, replace=False)
  assert set(_content(final).values()) == {'old'}
  folders.publish(partial, final, replace=True)
  assert _content(final) == {'logits/c/0': 'new', 'record.json': 'new'}
  assert os.listdir(tmp_path) == ['a']


def test_what_has_no_record_counts_as_absent(tmp_path, local):
  final = _fill(epath.Path(tmp_path) / 'a', 'half', record=False)
  partial = _fill(files.aside(final), 'new')
  folders.publish(partial, final, replace=False)
  assert _content(final) == {'logits/c/0': 'new', 'record.json': 'new'}
  assert os.listdir(tmp_path) == ['a']


def test_a_record_that_came_meanwhile_is_not_touched(tmp_path, monkeypatch):
  final = epath.Path(tmp_path) / 'a'
  partial = _fill(files.aside(final), 'new')
  sync = folders._sync

  def slow_sync(folder):
    sync(folder)
    _fill(final, 'other')

  monkeypatch.setattr(folders, '_sync', slow_sync)
  with pytest.raises(errors.DataError, match='must not hold a record'):
    folders.publish(partial, final, replace=False)
  assert set(_content(final).values()) == {'other'}


def test_the_cloud_gets_the_record_last(tmp_path, monkeypatch):
  monkeypatch.setattr(arrays, 'is_local', lambda path: False)
  final = epath.Path(tmp_path) / 'a'
  partial = _fill(files.aside(final), 'new')
  (partial / 'zz').write_text('new')
  seen = []
  copy = type(final).copy

  def spy(path, target, overwrite=False):
    seen.append(path.name)
    return copy(path, target, overwrite)

  monkeypatch.setattr(type(final), 'copy', spy)
  folders.publish(partial, final, replace=False)
  assert seen == ['0', 'zz', 'record.json']


def test_sweep_removes_only_what_is_left_of_that_name(tmp_path):
  root = epath.Path(tmp_path)
  token = '0123456789ab'
  keep = root / '.a.abcdefabcdef.partial'
  names = [
    f'.a.b.{token}.partial', f'.ab.{token}.partial', 'a', f'a.{token}.partial',
    f'.a.{token}.tmp', '.a.mine.partial', f'.a.{token}0.partial',
  ]  # fmt: skip
  left = [f'.a.{token}.partial', '.a.ba9876543210.partial']
  for name in [keep.name, *names, *left]:
    _fill(root / name, 'x')
  link = root / '.a.111111111111.partial'
  os.symlink(root / 'a', link)
  folders.sweep(root / 'a', keep=keep)
  assert sorted(os.listdir(tmp_path)) == sorted([keep.name, link.name, *names])
  folders.sweep(root / 'absent/a', keep=keep)


def test_remove_and_file_names(tmp_path):
  folder = _fill(epath.Path(tmp_path) / 'a', 'x')
  assert folders.file_names(folder) == ['logits/c/0', 'record.json']
  folders.remove(folder)
  folders.remove(folder)
  assert not folder.exists()

"""A reader beside a writer that replaces what is read."""

import contextlib
import os
import threading

import numpy as np
import pytest

from overlap import store
from overlap.core import errors, files

SHAPE = (60, 3)  # Fifteen chunks.
TIMES = 30


def write(made, value):
  with made.writer('m', replace=True) as writer:
    writer.create('logits', shape=SHAPE, dtype='float32')
    writer.write('logits', 0, np.full(SHAPE, value, np.float32))
    writer.finish({'value': value})


@pytest.mark.parametrize('swaps', [True, False])
def test_a_reader_sees_the_old_or_the_new_one(
  build, small_chunks, monkeypatch, swaps
):
  made = build(60)
  write(made, 0)
  if not swaps:  # As on NFS: two renamings, and nothing between.
    monkeypatch.setattr(files, 'exchange', lambda *_: False)
  ended = threading.Event()

  def replace():
    for value in range(1, TIMES + 1):
      write(made, value)
    ended.set()

  writer = threading.Thread(target=replace)
  writer.start()
  seen, absent = [], []
  while not ended.is_set():
    try:
      rows = made.read('m')
    except errors.DataError as e:
      absent.append(str(e))
      continue
    assert np.unique(rows).size == 1, np.unique(rows)
    seen.append(float(rows[0, 0]))
  writer.join()
  assert seen == sorted(seen)
  assert len(set(seen)) > 1
  assert not (swaps and absent)
  assert all('No predictions of model' in text for text in absent)
  assert np.unique(made.read('m')).tolist() == [TIMES]
  assert sorted(os.listdir(made.split_folder)) == ['examples', 'm']


def test_what_is_replaced_again_and_again_is_given_up(build, monkeypatch):
  made = build(60)
  write(made, 0)
  times = iter(range(1, 1000))
  read = store.Store._read

  def replaced(self, *args):
    rows = read(self, *args)
    write(made, next(times))
    return rows

  monkeypatch.setattr(store.Store, '_read', replaced)
  monkeypatch.setattr('overlap.core.replaced._TRIES', 3)
  with pytest.raises(errors.DataError, match='were replaced 3 times'):
    made.read('m')


def test_two_folders_change_places(tmp_path):
  for name in ('a', 'b'):
    (tmp_path / name).mkdir()
    (tmp_path / name / name).touch()
  if not files.exchange(tmp_path / 'a', tmp_path / 'b'):
    pytest.skip('this file system can not swap')
  assert os.listdir(tmp_path / 'a') == ['b']
  assert os.listdir(tmp_path / 'b') == ['a']
  with pytest.raises(OSError, match='No such file') as e:
    files.exchange(tmp_path / 'a', tmp_path / 'absent')
  assert e.value.filename == str(tmp_path / 'absent')
  with contextlib.suppress(OSError):
    os.remove(tmp_path / 'absent')
  assert os.listdir(tmp_path / 'a') == ['b']


@pytest.mark.parametrize('fails', [False, True])
def test_where_it_cannot_swap_it_renames_twice(
  build, small_chunks, monkeypatch, fails
):
  made = build(60)
  write(made, 1)
  monkeypatch.setattr(files, 'exchange', lambda *_: False)
  rename, calls = os.rename, []

  def rename_or_fail(old, new):
    calls.append(str(new))
    if fails and calls.count(str(made.folder('m'))) == 2:
      raise OSError(5, 'Input/output error')
    rename(old, new)

  monkeypatch.setattr(os, 'rename', rename_or_fail)
  if fails:
    with pytest.raises(errors.DataError, match='Input/output error'):
      write(made, 2)
  else:
    write(made, 2)
  assert np.unique(made.read('m')).tolist() == [1 if fails else 2]
  assert sorted(os.listdir(made.split_folder)) == ['examples', 'm']

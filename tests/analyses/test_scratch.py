"""What a run that was cut short has left: taken up whole, or not at all."""

import random

import numpy as np
import pytest

from overlap.analyses import scratch

COUNTS = np.arange(40).reshape(4, 10)


@pytest.fixture
def saved(tmp_path, monkeypatch):
  monkeypatch.setattr(scratch, '_EVERY', 0)
  made = scratch.Scratch(tmp_path / 'cache', 'pairs', shared=False)
  made.save('digest', lambda: {'done': 3, 'counts': COUNTS})
  return made


def read(arrays):
  return int(arrays['done']), arrays['counts'].tolist()


def test_taken_up_by_a_run_of_the_same_digest(saved):
  assert saved.load('digest', read) == (3, COUNTS.tolist())
  assert saved.load('another', read) is None


def test_clear_removes_the_files_of_all_processes_and_no_other(
  saved, monkeypatch
):
  folder = saved.file.parent
  for index in range(1, 4):
    with monkeypatch.context() as patch:
      patch.setattr(scratch.processes, 'process_index', lambda i=index: i)
      other = scratch.Scratch(folder, 'pairs', shared=False)
    other.save('digest', lambda: {})
  scratch.Scratch(folder, 'probes', shared=True).save('digest', lambda: {})
  assert len(list(folder.iterdir())) == 5
  notes = folder / 'notes-shared.npz'
  notes.write_text('not ours')
  scratch.clear(folder)
  assert list(folder.iterdir()) == [notes]
  assert saved.load('digest', read) is None
  notes.unlink()
  scratch.clear(folder)
  assert not folder.exists()
  scratch.clear(folder)


def test_a_shared_file_is_the_primary_s(tmp_path, monkeypatch):
  monkeypatch.setattr(scratch, '_EVERY', 0)
  shared = scratch.Scratch(tmp_path, 'probes', shared=True)
  shared.save('digest', lambda: {'done': 3, 'counts': COUNTS})
  monkeypatch.setattr(scratch.processes, 'is_primary', lambda: False)
  shared.save('digest', lambda: {'done': 4, 'counts': COUNTS})
  # Without the primary's broadcast another process has nothing.
  assert shared.load('digest', read) is None
  monkeypatch.undo()
  assert shared.load('digest', read) == (3, COUNTS.tolist())


def test_a_damaged_file_is_as_none(saved):
  content = saved.file.read_bytes()
  rng = random.Random(0)
  for place in range(len(content)):
    flipped = bytearray(content)
    flipped[place] ^= rng.randrange(1, 256)
    saved.file.write_bytes(flipped)
    # Bytes that are no more than dates in the archive change nothing.
    assert saved.load('digest', read) in (None, (3, COUNTS.tolist())), place
  for length in range(0, len(content), 7):
    saved.file.write_bytes(content[:length])
    assert saved.load('digest', read) is None

"""What a run that was cut short has left: taken up whole, or not at all."""

import random

import numpy as np
import pytest

from overlap.analyses import scratch

COUNTS = np.arange(40).reshape(4, 10)


@pytest.fixture
def saved(tmp_path, monkeypatch):
  monkeypatch.setattr(scratch, '_EVERY', 0)
  made = scratch.Scratch(tmp_path / 'cache', 'pairs')
  made.save('digest', lambda: {'done': 3, 'counts': COUNTS})
  return made


def read(arrays):
  return int(arrays['done']), arrays['counts'].tolist()


def test_taken_up_by_a_run_of_the_same_digest(saved):
  assert saved.load('digest', read) == (3, COUNTS.tolist())
  assert saved.load('another', read) is None
  saved.remove()
  assert saved.load('digest', read) is None
  assert not saved.file.parent.exists()


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

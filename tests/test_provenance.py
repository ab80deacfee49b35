"""What is told of a run's machine, and memory that is given back."""

import ctypes
import gc
import os
import pathlib
import threading

import pytest

from overlap import provenance


def resident():
  """Bytes of this process's resident memory."""
  pages = int(pathlib.Path('/proc/self/statm').read_text().split()[1])
  return pages * os.sysconf('SC_PAGE_SIZE')


def hold(count, size):
  """Memory in small pieces, the last of which stays; and what holds that."""
  held = [b'x' * size for _ in range(count)]
  return held[-1]


def test_what_threads_freed_is_given_back():
  if not hasattr(ctypes.CDLL(None), 'malloc_trim'):
    pytest.skip('this C library has no malloc_trim')
  kept = []
  threads = [
    threading.Thread(target=lambda: kept.append(hold(2000, 50_000)))
    for _ in range(2)
  ]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  gc.collect()
  before = resident()
  with provenance.timed(lambda seconds: None):
    pass
  assert before - resident() > 50e6


def test_a_c_library_that_cannot(monkeypatch):
  monkeypatch.setattr(ctypes, 'CDLL', lambda name: object())
  provenance.return_freed_memory()


def test_the_seconds_of_a_block():
  told = []
  with provenance.timed(told.append):
    assert told == []
  (seconds,) = told
  assert 0 <= seconds < 60

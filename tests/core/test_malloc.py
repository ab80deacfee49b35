"""Memory that was freed is given back, whichever thread had it."""

import ctypes
import gc
import os
import pathlib
import subprocess
import sys
import threading

import pytest

from overlap.core import malloc, provenance

TESTS = pathlib.Path(__file__).resolve().parents[1]


def hold(count, size):
  """Memory in small pieces, the last of which stays; and what holds that."""
  held = [b'x' * size for _ in range(count)]
  return held[-1]


def test_what_threads_freed_is_given_back(soak):
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
  before = soak.resident(os.getpid())
  with provenance.timed(lambda seconds: None):
    pass
  assert before - soak.resident(os.getpid()) > 50e6


# Threads that live on after they have freed pieces too small to be mapped, so
# that the free memory is the end of each one's heap.
THREADS = """
import os, sys, threading
import soak
from overlap.core import malloc

def work():
  del [b'x' * 50_000 for _ in range(1000)][:]
  freed.wait()
  over.wait()

if sys.argv[1] == 'one':
  malloc.share_one_heap()
freed, over = threading.Barrier(5), threading.Event()
threads = [threading.Thread(target=work) for _ in range(4)]
before = soak.resident(os.getpid())
for thread in threads:
  thread.start()
freed.wait()
malloc.return_freed()
print(soak.resident(os.getpid()) - before)
over.set()
"""


@pytest.mark.skipif(
  not hasattr(ctypes.CDLL(None), 'mallopt'), reason='a C library without it'
)
def test_threads_that_share_a_heap_keep_nothing():
  kept = {
    heaps: int(
      subprocess.run(
        [sys.executable, '-c', THREADS, heaps],
        env=os.environ
        | {
          # Else what is free at the end of a heap is given back at once.
          'MALLOC_TRIM_THRESHOLD_': str(2**26),
          'PYTHONPATH': f'{TESTS.parent}:{TESTS}',
        },
        capture_output=True,
        check=True,
        timeout=60,
      ).stdout
    )
    for heaps in ('one', 'own')
  }
  assert kept['one'] < 10e6 < 100e6 < kept['own']


def test_a_c_library_that_cannot(monkeypatch):
  monkeypatch.setattr(ctypes, 'CDLL', lambda name: object())
  malloc.share_one_heap()
  malloc.return_freed()


def test_the_seconds_of_a_block():
  told = []
  with provenance.timed(told.append):
    assert told == []
  (seconds,) = told
  assert 0 <= seconds < 60

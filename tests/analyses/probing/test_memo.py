"""Tests of overlap.analyses.probing.memo."""

import numpy as np
import pytest
from etils import epath

from overlap.analyses import scratch
from overlap.analyses.probing import fitting, memo, transfer_analysis


def of_labels(i):
  return fitting.Result(
    np.arange(13) % (i + 2) == 0, 8 + i, 0.1 * i, 0.5, i == 0
  )


def of_transfer(i):
  logits = np.arange(12, dtype=np.float32).reshape(4, 3) + i
  return transfer_analysis.Result(logits, 8 + i, np.array([1e-3, i, 2]), i > 0)


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
  monkeypatch.setattr(scratch, '_EVERY', 0.0)


@pytest.mark.parametrize('make', [of_labels, of_transfer])
def test_results_are_taken_up(tmp_path, make):
  folder, kind = epath.Path(tmp_path) / 'cache', type(make(0))
  kept = memo.Memo(folder, ['x'], kind, name='own')
  for i in range(3):
    kept.put(f'key {i}', make(i))
  again = memo.Memo(folder, ['x'], kind, name='own')
  assert again.get('key 3') is None
  for i in range(3):
    got = again.get(f'key {i}')
    assert type(got) is kind
    for one, other in zip(got, make(i)):
      np.testing.assert_array_equal(one, other)
      assert type(one) is type(other)
      assert np.asarray(one).dtype == np.asarray(other).dtype
  # Not by a run on other data, nor under another name.
  assert memo.Memo(folder, ['y'], kind, name='own').get('key 0') is None
  assert memo.Memo(folder, ['x'], kind).get('key 0') is None


def test_what_cannot_be_read_is_as_nothing(tmp_path):
  folder = epath.Path(tmp_path)
  kept = memo.Memo(folder, ['x'], fitting.Result)
  kept.put('key', of_labels(0))
  (file,) = folder.iterdir()
  file.write_bytes(file.read_bytes()[:40])
  assert memo.Memo(folder, ['x'], fitting.Result).get('key') is None


def test_in_memory_alone():
  kept = memo.Memo(None, ['x'], fitting.Result)
  kept.put('key', of_labels(1))
  assert kept.get('key').width == 9

"""Damaged files of every format: one line, whatever the damage is."""

import random

import pyarrow as pa
import pytest

from overlap.core import errors
from overlap.ingest import faults

DAMAGES = 40


def damaged(content: bytes, rng: random.Random) -> bytes:
  """A truncated, overwritten, shortened or lengthened version of a file."""
  kind = rng.randrange(4)
  place = rng.randrange(len(content))
  if kind == 0:
    return content[:place]
  if kind == 1:
    noise = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 9)))
    return content[:place] + noise + content[place + len(noise) :]
  if kind == 2:
    return content[:place] + content[place + rng.randrange(1, 40) :]
  return content[:place] + rng.randbytes(rng.randrange(1, 40)) + content[place:]


def check(case, written):
  """Every damage is refused with a line, or leaves a file that is valid."""
  path = written.write(case)
  content, rng = path.read_bytes(), random.Random(0)
  before = case.tree()
  refusals = 0
  for _ in range(DAMAGES):
    path.write_bytes(damaged(content, rng))
    refusal = ''
    try:
      case.ingest(path, format=written.format, replace=True)
    except errors.OverlapError as error:
      refusal = str(error)
    if refusal:
      assert '\n' not in refusal
      assert path.name in refusal
      refusals += 1
      assert case.models() or case.tree() == before
  assert refusals > DAMAGES / 4


def test_damaged_files_with_scores(case, soft):
  check(case, soft)


def test_damaged_files_with_classes(case, hard):
  check(case, hard)


def test_damaged_files_without_ids(case, rows):
  check(case, rows)


@pytest.mark.parametrize(
  'name', ['m.npy', 'm.npz', 'm.csv', 'm.parquet', 'm.safetensors', 'm.json']
)
@pytest.mark.parametrize('content', ['', '\n', '\0' * 100, 'PK\x03\x04', '{'])
def test_files_that_are_none(case, refused, name, content):
  path = case.file(name, content)
  text = refused(case, errors.DataError, case.ingest, path)
  assert str(path) in text


def test_a_file_that_is_absent(case, refused):
  path = case.folder / 'none.npy'
  text = refused(case, errors.DataError, case.ingest, path)
  assert repr(str(path)) in text


def test_our_own_errors_pass():
  with pytest.raises(errors.UsageError), faults.readable('p', 'x'):
    raise errors.UsageError('mine')


@pytest.mark.parametrize(
  ('error', 'reason'),
  [
    (FileNotFoundError(2, 'No such file or directory'), 'No such file or'),
    (ValueError('first line.\nsecond'), 'got: first line.'),
    (EOFError(), 'got: EOFError.'),
    (ValueError('a\x00b\x1b'), 'got: a?b?.'),
    (pa.ArrowException('Unknown error: x'), 'got: Unknown error: x.'),
  ],
)
def test_the_reason_is_told(error, reason):
  with pytest.raises(errors.DataError) as caught, faults.readable('p', 'x'):
    raise error
  assert str(caught.value).startswith('p must be readable as x, ')
  assert reason in str(caught.value)


def test_what_is_no_fault_of_the_file_is_not_hidden():
  with pytest.raises(AssertionError), faults.readable('p', 'x'):
    raise AssertionError

"""Damaged and made-up files: a result or one of our own errors, nothing else.

OVERLAP_FUZZ=N tries N files for each reader (default 60, in about a minute for
all). What was found once lies in `found`, each file named after its reader.
"""

import importlib.util
import os
import pathlib
import resource
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overlap.core import errors

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLES = int(os.environ.get('OVERLAP_FUZZ', '60'))
FOUND = sorted((HERE / 'found').glob('*'))
SECONDS, MEBIBYTES = 20, 512  # None of these files has a hundredth of it.


def _readers():
  spec = importlib.util.spec_from_file_location(
    'fuzz_readers', HERE / 'readers.py'
  )
  module = importlib.util.module_from_spec(spec)
  sys.modules[spec.name] = module
  spec.loader.exec_module(module)
  return module


readers = _readers()
# Where, as a share of the length; what is done there; and with which bytes.
EDITS = st.tuples(
  st.floats(0, 1),
  st.sampled_from(['cut', 'put', 'insert', 'drop', 'swap']),
  st.one_of(
    st.binary(min_size=1, max_size=8),
    # Sizes, lengths and counts that are too much.
    st.sampled_from(
      [b'\xff' * 4, b'\xff' * 8, b'\x7f\xff\xff\xff', b'\0' * 8, b'-1', b'999']
    ),
  ),
)


def edited(content, edits):
  """The content after each edit in turn."""
  for share, kind, new in edits:
    at = int(share * len(content))
    end = at + len(new)
    if kind == 'cut':
      content = content[:at]
    elif kind == 'put':
      content = content[:at] + new + content[end:]
    elif kind == 'insert':
      content = content[:at] + new + content[at:]
    elif kind == 'drop':
      content = content[:at] + content[end:]
    else:
      content = content[end:] + content[at:end] + content[:at]
  return content


def peak():
  """The most memory this process has held, in MiB."""
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def attempt(name, content, folder):
  """Reads; fails for any other error than ours, for long and for much."""
  before, start = peak(), time.monotonic()
  said = ''
  try:
    readers.read_bytes(name, content, folder)
  except errors.OverlapError as e:
    said = str(e)
  assert not said or said.isprintable()
  assert len(said) < 3000
  assert time.monotonic() - start < SECONDS
  assert peak() - before < MEBIBYTES


@pytest.mark.parametrize('name', readers.READERS)
def test_valid_files_are_read(name, tmp_path):
  for content in readers.READERS[name].seeds:
    readers.read_bytes(name, content, tmp_path)


@pytest.mark.parametrize('name', readers.READERS)
def test_any_bytes_are_read_or_refused(name, tmp_path):
  seeds = readers.READERS[name].seeds

  @settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=EXAMPLES <= 60,
    suppress_health_check=list(HealthCheck),
  )
  @given(
    st.one_of(
      st.builds(
        edited, st.sampled_from(seeds), st.lists(EDITS, min_size=1, max_size=4)
      ),
      st.binary(max_size=64),
    )
  )
  def check(content):
    attempt(name, content, tmp_path)

  check()


@pytest.mark.parametrize('path', FOUND, ids=lambda p: p.name)
def test_what_was_found_stays_mended(path, tmp_path):
  name = path.name.rpartition('-')[0].replace('_', ' ')
  attempt(name, path.read_bytes(), tmp_path)

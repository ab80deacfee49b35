"""Names that are safe on disk, and archives that are no bombs."""

import io
import os
import zipfile

import numpy as np
import pytest
from etils import epath

from overlap.core import errors, files

# Old workdirs have these folders: they never change.
ENCODED = {
  'base': 'base',
  'a b': 'a b',
  'org/model': 'org%2Fmodel',
  '..': '%2E.',
  '.hidden': '%2Ehidden',
  'a~b': 'a~b',
  'copy~': 'copy%7E',
  '~': '%7E',
  'é': '%C3%A9',
  'a%2Fb': 'a%252Fb',
}


@pytest.mark.parametrize(('name', 'component'), ENCODED.items())
def test_names_on_disk(name, component):
  assert files.encode_name(name) == component
  assert files.decode_name(component) == name


@pytest.mark.parametrize(
  'name',
  ['', 'a\nb', 'a\tb', '\0', '\x7f', '\x1b[1m', '\u202e', '\u2028', '\ud800',
   '\u200b', 'm' * 201, 'é' * 34],
)  # fmt: skip
def test_names_that_are_none(name):
  with pytest.raises(errors.UsageError) as caught:
    files.check_name('model', name)
  assert 'The name of a model must' in str(caught.value)
  assert str(caught.value).isprintable()


@pytest.mark.parametrize('name', ['m' * 200, 'é' * 33, '模型', 'a b', '..'])
def test_names(name):
  assert files.check_name('model', name) == name


def archive(**arrays):
  buffer = io.BytesIO()
  np.savez_compressed(buffer, **arrays)
  return zipfile.ZipFile(buffer)


def test_an_archive_that_would_fill_the_memory_is_refused():
  made = archive(a=np.zeros(100_000, np.uint8))
  files.check_expansion(made, 'a.npz')  # As large as anyone would mind.
  made.infolist()[0].file_size = 2**28 + 1
  with pytest.raises(errors.DataError, match=r"200 times .* in 'a\.npy'"):
    files.check_expansion(made, 'a.npz')


def test_a_large_archive_of_numbers_is_taken():
  made = archive(a=np.random.default_rng(0).normal(size=1000))
  made.infolist()[0].file_size = 2**31
  made.infolist()[0].compress_size = 2**30
  files.check_expansion(made, 'a.npz')


def test_errors_are_one_line_that_can_be_seen():
  error = errors.DataError('a\n  b \x1b[31m\0 \ud800 é')
  assert str(error) == 'a b \\x1b[31m\\x00 \\ud800 é'


def test_a_path_aside_is_told_by_its_name(tmp_path):
  final = epath.Path(tmp_path) / 'a.b'
  token = '0123456789ab'
  path = files.aside(final, token)
  assert path.name == f'.a.b.{token}.partial'
  assert files.aside(final) != files.aside(final)
  assert files.is_aside(path)
  assert files.is_aside(path, 'a.b')
  assert not files.is_aside(path, 'a')
  for name in ('.a.partial', '.a.x.partial', f'..{token}.partial', 'a'):
    assert not files.is_aside(name)
  os.symlink(tmp_path, path)
  assert not files.is_aside(path)
  for token in ('a.b', 'a/b', 'x' * 12, 'a' * 13, ' '):
    with pytest.raises(ValueError, match='token'):
      files.aside(final, token)

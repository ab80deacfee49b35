"""JSON with a checksum, and checksums of other files beside them."""

import contextlib
import random

import pytest

from overlap.core import checksums, errors, files

VALUES = {
  'config': {'seed': 0, 'rates': [0.1, 1e-06], 'name': 'ä "x"'},
  'hash': 'ab' * 32,
  'none': None,
  'flag': True,
}


def test_what_was_written_is_read(tmp_path):
  file = tmp_path / 'new' / 'a.json'
  checksums.write_json(file, VALUES | {'pair': (1, 2)})
  assert checksums.read_json(file, 'again') == VALUES | {'pair': [1, 2]}
  assert list(checksums.faults(file, 'again')) == []


def test_any_other_byte_is_found(tmp_path):
  file = tmp_path / 'a.json'
  checksums.write_json(file, VALUES)
  content = file.read_bytes()
  rng = random.Random(0)
  for place in range(len(content)):
    flipped = bytearray(content)
    flipped[place] ^= rng.randrange(1, 256)
    file.write_bytes(flipped)
    (fault,) = checksums.faults(file, 'write it again')
    assert fault.startswith(f'{file} must ')
    assert fault.endswith(': write it again.')
    with contextlib.suppress(errors.DataError):
      assert checksums.read_json(file, '') == VALUES  # White space.


@pytest.mark.parametrize(
  'content', [b'', b'[]', b'null', b'{"a": NaN', b'\xff']
)
def test_what_is_none_is_told(tmp_path, content):
  file = tmp_path / 'a.json'
  file.write_bytes(content)
  with pytest.raises(errors.DataError, match=r'must .*: make it again'):
    checksums.read_json(file, 'make it again')
  file.unlink()
  with pytest.raises(errors.DataError, match='must exist'):
    checksums.read_json(file, 'make it again')


@pytest.mark.parametrize('values', [VALUES, {}, {'x': 'c' * 64}])
def test_a_file_that_lost_its_checksum(tmp_path, values):
  file = tmp_path / 'a.json'
  checksums.write_json(file, values)
  held = files.read_json(file)
  del held['checksum']
  files.write_json(file, held)
  with pytest.raises(errors.DataError, match='own checksum'):
    checksums.read_json(file, '')
  (fault,) = checksums.faults(file, 'make it again')
  assert fault.endswith('make it again.')


def test_what_is_no_file_is_one_line_and_the_rest_is_checked(tmp_path):
  made = [tmp_path / name for name in ('a.svg', 'b.png', 'c.csv')]
  for file in made:
    file.write_bytes(b'as drawn')
  checksums.note(tmp_path, made)
  made[0].unlink()
  made[0].mkdir()
  made[1].unlink()
  made[1].symlink_to(tmp_path / 'nowhere')
  made[2].write_bytes(b'as drawm')
  assert list(checksums.changed(tmp_path, 'draw it')) == [
    f'{made[0]}: can not be read (Is a directory); draw it',
    f'{made[1]}: absent; draw it',
    f'{made[2]}: not as it was written; draw it',
  ]
  done = tmp_path / checksums.DONE
  done.unlink()
  done.mkdir()
  (fault,) = checksums.changed(tmp_path, 'draw it')
  assert fault == f'{done} must be readable, got: Is a directory: draw it.'


@pytest.mark.parametrize('content', ['[' * 10**5, '[1' + '0' * 5000 + ']'])
def test_json_that_python_can_not_hold(tmp_path, content):
  file = tmp_path / 'a.json'
  file.write_text(content)
  (fault,) = checksums.faults(file, 'make it again')
  assert fault.startswith(f'{file} must hold JSON, got: ')


def test_files_are_noted_forgotten_and_checked(tmp_path):
  made = [tmp_path / name for name in ('a.svg', 'b.png', 'c.csv')]
  assert list(checksums.changed(tmp_path, '')) == []
  for file in made:
    file.write_bytes(b'as drawn')
  checksums.note(tmp_path, made[:2])
  checksums.note(tmp_path, made[2:])
  assert list(checksums.changed(tmp_path, '')) == []
  made[0].write_bytes(b'as drawm')
  made[1].unlink()
  found = list(checksums.changed(tmp_path, 'draw it'))
  assert found == [
    f'{made[0]}: not as it was written; draw it',
    f'{made[1]}: absent; draw it',
  ]
  checksums.forget(tmp_path, ['a.svg', 'b.png', 'never'])
  assert list(checksums.changed(tmp_path, '')) == []
  done = tmp_path / 'done.json'
  assert list(files.read_json(done)['files']) == ['c.csv']
  done.write_text(done.read_text().replace('c.csv', 'd.csv'))
  (fault,) = checksums.changed(tmp_path, 'draw it')
  assert 'done.json must match its own checksum' in fault
  # A damaged note is begun anew.
  checksums.note(tmp_path, made[2:])
  assert list(checksums.changed(tmp_path, '')) == []

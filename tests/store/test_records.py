"""record.json: sealed, verified, versioned."""

import json
import re

import numpy as np
import pytest
from etils import epath

from overlap.core import errors, files
from overlap.store import records


def _write(folder, record) -> epath.Path:
  folder = epath.Path(folder)
  files.write_text(folder / 'record.json', records.text(record))
  return folder


def test_seal_and_read(tmp_path):
  given = {'model': 'é', 'n': 3, 'shape': (2, 1), 'x': 0.1, 'none': None}
  record = records.seal(given)
  assert record['shape'] == [2, 1]
  assert record['format_version'] == 2
  folder = _write(tmp_path, record)
  assert records.complete(folder)
  assert records.read_record(folder) == record


def test_the_checksum_does_not_depend_on_the_order_of_keys():
  first, second = records.seal({'a': 1, 'b': 2}), records.seal({'b': 2, 'a': 1})
  assert first == second


@pytest.mark.parametrize('value', [float('nan'), np.float32(1), {1, 2}])
def test_what_is_no_json_is_refused(value):
  with pytest.raises((TypeError, ValueError)):
    records.seal({'value': value})


def test_every_edit_is_found(tmp_path):
  record = records.seal({'a': 1, 'b': {'c': [1.5, 'x', None]}})
  edits = [
    record | {'a': 2},
    record | {'extra': 0},
    {key: value for key, value in record.items() if key != 'a'},
    {key: value for key, value in record.items() if key != 'checksum'},
    record | {'b': {'c': [1.5, 'y', None]}},
    record | {'checksum': '0' * 64},
  ]
  for edited in edits:
    folder = _write(tmp_path, edited)
    with pytest.raises(errors.DataError, match='own checksum'):
      records.read_record(folder)


@pytest.mark.parametrize(
  'content',
  [b'', b'{', b'\xff{}', b'[]', b'3', b'null', b'{"format_version": 1}'],
)
def test_what_is_no_record(tmp_path, content):
  (tmp_path / 'record.json').write_bytes(content)
  with pytest.raises(errors.DataError, match=r'record\.json'):
    records.read_record(epath.Path(tmp_path))


def test_an_infinite_number_is_an_edit(tmp_path):
  text = records.text(records.seal({'a': 1})).replace('"a": 1', '"a": 1e999')
  (tmp_path / 'record.json').write_text(text)
  with pytest.raises(errors.DataError, match='own checksum'):
    records.read_record(epath.Path(tmp_path))


@pytest.mark.parametrize('version', [1, 3, 2.0, True, '2', None, [2]])
def test_another_version_is_said_in_one_line(tmp_path, version):
  record = json.loads(records.text(records.seal({'a': 1})))
  folder = _write(tmp_path, record | {'format_version': version})
  text = re.escape(f'format_version 2, got {version!r}')
  with pytest.raises(errors.DataError, match=text):
    records.read_record(folder)


def test_absent_and_unreadable(tmp_path):
  folder = epath.Path(tmp_path)
  assert not records.complete(folder)
  with pytest.raises(errors.DataError, match='must exist'):
    records.read_record(folder)
  (tmp_path / 'record.json').mkdir()
  assert not records.complete(folder)
  with pytest.raises(errors.DataError, match='must be readable'):
    records.read_record(folder)

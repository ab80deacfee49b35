"""Which cell of a table `verify` names, missing values beside it."""

import pandas as pd
import pytest
from etils import epath

from overlap.core import checksums
from overlap.stages import analyse, verify
from overlap.tables import schemas, table_io
from overlap.workdir import fingerprints


@pytest.fixture
def wanted():
  columns = {key: [0.5, None, 0.25] for key in schemas.SCHEMAS['correlations']}
  columns |= {'name': ['a', '', 'c'], 'scope': ['s', 's', 's'], 'n': [3, 4, 5]}
  return table_io.typed('correlations', columns)


def faults(workdir, monkeypatch, stored, wanted, name='correlations'):
  table_io.write_table(workdir, name, stored)
  checksums.write_json(workdir / 'tables' / 'analysis.json', {})
  fingerprints.note(epath.Path(workdir), {})
  monkeypatch.setattr(analyse, 'compute', lambda path, asked: {name: wanted})
  return list(verify.faults(workdir))


def test_a_sound_table_has_no_faults(tmp_path, monkeypatch, wanted):
  assert faults(tmp_path, monkeypatch, wanted, wanted) == []


@pytest.mark.parametrize(
  ('row', 'column', 'value'),
  [(0, 'pearson', 0.75), (1, 'slope', 1.0), (2, 'lower', None), (1, 'n', 7),
   (2, 'scope', 't')],
)  # fmt: skip
def test_the_cell_that_differs_is_named(
  tmp_path, monkeypatch, wanted, row, column, value
):
  stored = wanted.copy()
  stored.loc[row, column] = value
  (fault,) = faults(tmp_path, monkeypatch, stored, wanted)
  assert f'row {row + 1} has {column} ' in fault


def test_missing_counts_and_flags_are_no_faults(tmp_path, monkeypatch):
  rows = {key: [None, None] for key in schemas.SCHEMAS['pairs']}
  for key, kind in schemas.SCHEMAS['pairs'].items():
    if kind == 'str':
      rows[key] = ['', '']
    if kind == 'int64':
      rows[key] = [1, 2]
  wanted = table_io.typed('pairs', rows)
  stored = wanted.copy()
  stored.loc[1, 'same_wrong'] = 9
  (fault,) = faults(tmp_path, monkeypatch, stored, wanted, 'pairs')
  assert 'row 2 has same_wrong 9, the arrays give 2' in fault
  stored = wanted.copy()
  stored['lost'] = pd.Series([None, 4], dtype='Int64')
  (fault,) = faults(tmp_path, monkeypatch, stored, wanted, 'pairs')
  assert 'row 2 has lost 4' in fault


def test_probes_of_other_devices_are_checked_by_their_checksums(
  tmp_path, monkeypatch
):
  name = 'joined_categories'
  rows = {column: [0.5, 0.25] for column in schemas.SCHEMAS[name]}
  stored = table_io.typed(
    name, rows | {'category': ['a', 'b'], 'pairs': [1, 2]}
  )
  wanted = stored.copy()
  wanted.loc[1, 'half_gain'] = 0.5
  (fault,) = faults(tmp_path, monkeypatch, stored, wanted, name)
  assert 'row 2 has half_gain 0.25, the arrays give 0.5' in fault
  here = fingerprints.devices(epath.Path(tmp_path))
  for other in ({'count': here['count'] + 1}, {'platform': 'tpu'}):
    made_on = here | other
    with monkeypatch.context() as patch:
      patch.setattr(fingerprints, 'devices', lambda path, m=made_on: m)
      assert list(verify.faults(tmp_path)) == []
  file = tmp_path / 'tables' / f'{name}.csv'
  file.write_bytes(file.read_bytes().replace(b'0.25', b'0.26', 1))
  monkeypatch.setattr(fingerprints, 'devices', lambda path: made_on)
  (fault,) = verify.faults(tmp_path)
  assert fault == f'{file}: not as it was written; {table_io.AGAIN}'

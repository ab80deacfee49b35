"""New tables come all at once, or not at all."""

import os

import numpy as np
import pandas as pd
import pytest

from overlap import figures
from overlap.core import checksums, errors, files
from overlap.tables import table_io
from overlap.workdir import fingerprints, publish

MADE_OF = {'request': 'r', 'program': 'p', 'versions': 'v', 'store': 's'}


def frame(value, rows=2):
  """A table that is none of ours, and any of ours begins like that."""
  return pd.DataFrame({'value': np.full(rows, value)})


def show(workdir, *names, value=1, request=None):
  made = {name: frame(value) for name in names}
  publish.publish(workdir, request or {'value': value}, made, MADE_OF)


def values(workdir):
  return {
    file.stem: table_io.read_table(workdir, file.stem)['value'].iloc[0]
    for file in (workdir / 'tables').glob('*.csv')
  }


def test_they_take_the_place_of_all_of_ours_and_of_nothing_else(tmp_path):
  show(tmp_path, 'own', value=1)
  (tmp_path / 'tables' / 'pairs.csv').write_text('of an earlier request')
  (tmp_path / 'tables' / 'notes').mkdir()
  (tmp_path / 'tables' / 'notes' / 'a.txt').write_text('kept')
  (tmp_path / 'tables' / '.pairs.csv.0123456789ab.partial').write_text(
    'of a killed run'
  )
  show(tmp_path, 'further', value=2)
  assert sorted(os.listdir(tmp_path / 'tables')) == [
    'analysis.json', 'done.json', 'further.csv', 'further.parquet', 'notes',
    'own.csv', 'own.parquet',
  ]  # fmt: skip
  assert (tmp_path / 'tables' / 'notes' / 'a.txt').read_text() == 'kept'
  assert values(tmp_path) == {'own': 1, 'further': 2}
  assert checksums.read_json(tmp_path / 'tables/analysis.json', '') == {
    'value': 2
  }
  assert fingerprints.is_done(tmp_path, MADE_OF)
  assert os.listdir(tmp_path) == ['tables']


@pytest.mark.parametrize('swap', [True, False])
def test_a_failed_swap_leaves_the_older_ones(tmp_path, monkeypatch, swap):
  show(tmp_path, 'own', value=1)
  rename, calls = os.rename, []

  def failing(*paths):
    calls.append(paths)
    # The first finds the folder there, the second moves it aside.
    if len(calls) in ((1,) if swap else (1, 3)):
      raise PermissionError(13, 'not today')
    return rename(*paths)

  def failing_swap(*_):
    if not swap:
      return False
    raise PermissionError(13, 'not today')

  monkeypatch.setattr(os, 'rename', failing)
  monkeypatch.setattr(files, 'exchange', failing_swap)
  with pytest.raises(errors.DataError, match='tables must be writable, got: n'):
    show(tmp_path, 'own', value=2)
  assert values(tmp_path) == {'own': 1}
  assert os.listdir(tmp_path) == ['tables']


@pytest.mark.parametrize('again_and_again', [False, True])
def test_who_reads_meanwhile_gets_tables_of_one_analysis(
  tmp_path, synthetic, monkeypatch, again_and_again
):
  made = [synthetic.study(seed=seed) for seed in range(2)]
  read, times = table_io.read_table, []

  def analyse(number):
    publish.publish(tmp_path, {}, made[number % 2], MADE_OF | {'n': number})

  def read_slowly(*args):
    frame = read(*args)
    if again_and_again or not times:
      times.append(1)
      analyse(len(times))
    return frame

  analyse(0)
  monkeypatch.setattr(table_io, 'read_table', read_slowly)
  monkeypatch.setattr('overlap.core.replaced._TRIES', 3)
  if again_and_again:
    with pytest.raises(errors.DataError, match='were replaced 3 times'):
      figures.load(tmp_path)
    return
  loaded = figures.load(tmp_path)
  assert len(times) == 1
  for name, frame in loaded.items():
    pd.testing.assert_frame_equal(frame, read(tmp_path, name))
    assert table_io.to_csv(frame) == table_io.to_csv(made[1][name])

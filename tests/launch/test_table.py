"""The states of units, as a live table and as plain lines."""

import io
import pathlib

import pytest

from overlap.launch import devices, ledger, local, table
from overlap.launch.executor import Outcome
from overlap.launch.units import Unit

POOL = local.Local(['x'], devices.divide('cpu', 2))


@pytest.fixture
def records(tmp_path):
  book = ledger.Ledger(tmp_path, 'local')
  made = [
    ledger.Record(Unit(name, ('study',)), tmp_path / 'units' / name)
    for name in ('done', 'going', 'to_come', 'lost')
  ]
  for record in made[:2] + made[3:]:
    book.begin(record, {'slot': 0})
  book.end(made[0], Outcome('done', 0), ledger.DONE)
  book.end(made[3], Outcome('failed', 1, 'no\tdisk'), ledger.FAILED)
  return made


class Terminal(io.StringIO):
  def isatty(self):
    return True


def test_a_row_says_where_how_long_and_why(records):
  rows = table.rows(records, POOL)
  name, state, took = rows[0].split()
  assert (name, state) == ('done', 'done')
  assert took.startswith('0:00:0')  # A slow machine may need a second.
  assert rows[1].split()[:4] == ['going', 'running', 'cpu', '0']
  assert rows[2].split() == ['to_come', 'waiting']
  assert rows[3].split() == ['lost', 'failed', 'failed:', 'no', 'disk']
  assert rows[4] == '1 done, 1 running, 1 waiting, 1 failed of 4'
  assert max(map(len, table.rows(records, POOL, width=20))) <= 20


def test_a_terminal_has_one_table_that_is_drawn_over(records):
  stream = Terminal()
  live = table.Live(stream)
  live(records, POOL)
  live(records, POOL)
  first, again = stream.getvalue().split('\x1b[5A\x1b[J')
  assert first.count('\n') == 5
  assert again.split('\n')[0] == first.split('\n')[0]


def test_a_table_is_never_longer_than_its_terminal(records, monkeypatch):
  monkeypatch.setenv('COLUMNS', '60')
  monkeypatch.setenv('LINES', '4')
  stream = Terminal()
  table.Live(stream)(records, POOL)
  lines = stream.getvalue().splitlines()
  assert [line.split()[0] for line in lines] == ['going', 'lost', '1']


def test_elsewhere_a_line_for_a_change_and_one_a_minute(records, monkeypatch):
  now = [0.0]
  monkeypatch.setattr(table.time, 'monotonic', lambda: now[0])
  stream = io.StringIO()
  live = table.Live(stream)
  live(records, POOL)
  assert [x.split()[1] for x in stream.getvalue().splitlines()] == [
    'done', 'going', 'lost', '1',
  ]  # fmt: skip
  stream.seek(0)
  stream.truncate()
  for now[0] in (1.0, 59.0):
    live(records, POOL)
  assert stream.getvalue() == ''
  now[0] = 61.0
  live(records, POOL)
  assert stream.getvalue().count('\n') == 1
  ledger.Ledger(pathlib.Path(records[1].folder).parents[1], 'local').end(
    records[1], Outcome('done', 0), ledger.DONE
  )
  live(records, POOL)
  assert 'going done 0:00:0' in stream.getvalue()

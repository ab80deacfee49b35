"""Bad input of every kind: one line, status 1 or 2, and nothing touched.

The cases are tables in the files beside. Each is a command in this process, on
one small study that all share; some are tried again as a user's own processes.
"""

import importlib.util
import pathlib
import re
import subprocess
import sys

import pytest

from overlap.cli import main as cli
from overlap.core import errors

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def _module(name):
  spec = importlib.util.spec_from_file_location(
    f'bad_input_{name}', HERE / f'{name}.py'
  )
  module = importlib.util.module_from_spec(spec)
  # Where its data classes look for the types of their fields.
  sys.modules[spec.name] = module
  spec.loader.exec_module(module)
  return module


ARENA = _module('arena')
TABLES = ('flags', 'config', 'data', 'weights', 'ingest', 'notebook')
CASES = {
  f'{table}: {name}': case
  for table in TABLES
  for name, case in _module(f'{table}_cases').cases(ARENA.Case).items()
}
AS_PROCESSES = (
  'flags: a flag that is misspelt',
  'config: a config that exits',
  'config: a config that raises',
  'data: no classes',
  'weights: a pickle',
  'ingest: npy of objects',
)
# How the log begins its lines; all else on stderr is the fault itself.
_LOGGED = re.compile(r'\d\d:\d\d:\d\d ')


@pytest.fixture(scope='module')
def shared(tmp_path_factory):
  return ARENA.make(tmp_path_factory.mktemp('arena'))


@pytest.fixture
def arena(shared):
  shared.begin()
  return shared


def faults(err):
  return [x for x in err.splitlines() if not _LOGGED.match(x)]


def check(case, status, lines):
  assert status == case.status, lines
  assert len(lines) == 1, lines
  assert lines[0].startswith('overlap: ')
  assert lines[0].isprintable()
  for text in case.told:
    assert text in lines[0]


def test_there_are_enough_of_every_kind():
  assert len(CASES) >= 120
  assert {name.partition(':')[0] for name in CASES} == set(TABLES)


@pytest.mark.parametrize('case', CASES.values(), ids=CASES)
def test_one_line_and_nothing_touched(arena, capsys, case):
  made = case.make(arena)
  before = ARENA.snapshot(arena.folder)
  if callable(made):
    with pytest.raises(errors.OverlapError) as caught:
      made()
    status, lines = caught.value.exit_status, [f'overlap: {caught.value}']
  else:
    status = cli.main([str(word) for word in made])
    captured = capsys.readouterr()
    assert captured.out == ''
    lines = faults(captured.err)
  check(case, status, lines)
  assert ARENA.snapshot(arena.folder) == before


@pytest.mark.slow_except(
  'flags: a flag that is misspelt',
  'config: a config that raises',
  'weights: a pickle',
  'ingest: npy of objects',
)
@pytest.mark.parametrize('name', AS_PROCESSES)
def test_as_a_process_of_its_own(arena, name):
  case = CASES[name]
  words = [str(word) for word in case.make(arena)]
  before = ARENA.snapshot(arena.folder)
  done = subprocess.run(
    [sys.executable, '-m', 'overlap', *words],
    cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
  )  # fmt: skip
  assert done.stdout == ''
  check(case, done.returncode, faults(done.stderr))
  assert ARENA.snapshot(arena.folder) == before


def test_the_study_itself_is_well(arena):
  """Else any fault might hide the one that a case is about."""
  assert cli.main([str(w) for w in arena.study(command='train')]) == 0
  ARENA.remove(arena.fresh)
  good = arena.csv('good.csv', id=ARENA.IDS, predicted=ARENA.LABELS)
  words = arena.ingested(good, '--model=good')
  assert cli.main([str(w) for w in words]) == 0
  ARENA.remove(arena.workdir / 'predictions/shapes/test/good')

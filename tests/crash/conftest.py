"""Processes that are killed, or whose file system fails, at a chosen call."""

import dataclasses
import enum
import json
import os
import pathlib
import shutil
import subprocess
import sys
import warnings

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]


class Mode(enum.IntEnum):
  """What goes wrong at the N-th call; as in shim.c."""

  COUNT = 0  # Nothing.
  KILL_BEFORE = 1
  KILL_AFTER = 2
  KILL_HALF = 3  # Half is written.
  FAIL_ONCE = 4
  FAIL_ON = 5  # And at all that follow, but for those that remove.
  SHORT = 6  # Half is written, and that is said, as it may be.


@dataclasses.dataclass
class Done:
  """What a child came to.

  Attributes:
    status: its exit status; minus the signal that ended it.
    text: stdout and stderr.
    calls: to the file system, as the shim noted them.
    seconds: it took.
  """

  status: int
  text: str
  calls: list[str]
  seconds: float

  def check_one_line(self) -> None:
    """Asserts that a fault was told as the command line tells faults."""
    assert self.status == 1, self.text
    assert 'Traceback' not in self.text, self.text
    said = [x for x in self.text.splitlines() if x.startswith('overlap: ')]
    assert len(said) == 1, self.text
    assert self.text.rstrip().splitlines()[-1] == said[0], self.text


class Zygote:
  """A process that has imported what it needs, and forks."""

  def __init__(self, folder: pathlib.Path, shim, modules, **env: str):
    self._folder, self.has_shim = folder, shim is not None
    with warnings.catch_warnings():
      warnings.simplefilter('ignore')
      self._process = subprocess.Popen(
        [
          sys.executable, '-W', 'ignore', HERE / 'zygote.py',
          HERE / 'scenarios.py', *modules,
        ],
        cwd=ROOT,
        env=os.environ
        | {'PYTHONPATH': str(ROOT), 'XLA_FLAGS': '', 'JAX_PLATFORMS': 'cpu'}
        | ({'LD_PRELOAD': str(shim)} if shim else {})
        | env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
      )  # fmt: skip
    assert self._read() == 'ready'

  def _read(self):
    return json.loads(self._process.stdout.readline())

  def run(
    self,
    *words: object,
    seconds: float | None = None,
    below: pathlib.Path | None = None,
    mode: str = 'COUNT',
    call: int = 0,
    error: int = 0,
  ) -> Done:
    """Runs a command, or an action of scenarios.py.

    Args:
      *words: of the command line.
      seconds: after which it is SIGKILLed, unless it has ended.
      below: the folder whose calls are counted; None for no shim.
      mode: of `Mode`, what goes wrong.
      call: at which of them, from 1.
      error: the errno of one that fails.
    """
    log, trace = self._folder / 'log', self._folder / 'trace'
    trace.write_text('')
    request = {
      'words': [str(word) for word in words],
      'log': str(log),
      'seconds': seconds,
    }
    if below:
      request['fault'] = {
        'below': str(below), 'mode': int(Mode[mode]), 'call': call,
        'error': error, 'trace': str(trace),
      }  # fmt: skip
    self._process.stdin.write(json.dumps(request) + '\n')
    self._process.stdin.flush()
    reply = self._read()
    return Done(
      reply['status'],
      log.read_text(errors='replace'),
      trace.read_text(errors='replace').splitlines(),
      reply['seconds'],
    )

  def close(self) -> None:
    self._process.stdin.close()
    self._process.wait(60)
    self._process.stdout.close()


@pytest.fixture(scope='session')
def shim(tmp_path_factory) -> pathlib.Path | None:
  """The library that is preloaded; None without a C compiler, or Linux."""
  compiler = shutil.which('cc') or shutil.which('gcc')
  if not compiler or not sys.platform.startswith('linux'):
    return None
  library = tmp_path_factory.mktemp('shim') / 'shim.so'
  source = HERE / 'shim.c'
  subprocess.run(
    [compiler, '-shared', '-fPIC', '-O1', '-o', library, source, '-ldl'],
    check=True,
  )
  return library


@pytest.fixture(scope='module')
def make_zygote(tmp_path_factory, shim):
  """Starts a zygote that has imported some modules."""
  made = []

  def make(*modules: str, **env: str) -> Zygote:
    folder = tmp_path_factory.mktemp('zygote')
    made.append(Zygote(folder, shim, modules, **env))
    return made[-1]

  yield make
  for zygote in made:
    zygote.close()

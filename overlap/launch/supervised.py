"""Commands on this machine that outlive the launcher and are found again.

Each runs under `supervise.py`, which holds the lock of the unit's folder for
as long as the command or anything it started is alive, and writes down its
exit status. So whoever comes next, with another process id and after any kill,
knows of each attempt whether it is running, how it ended, or that it vanished.
"""

import contextlib
import fcntl
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from overlap import errors
from overlap.launch.executor import Outcome, Run, of_status

_SUPERVISOR = pathlib.Path(__file__).with_name('supervise.py')
# How long a command may take to end after SIGTERM.
_GRACE_SECONDS = 20.0
# How long somebody may hold a lock who only looks whether it is held.
_LOOK_SECONDS = 2.0


class Supervised:
  """Starts commands, looks after them, ends them."""

  def __init__(self) -> None:
    self._children: dict[pathlib.Path, subprocess.Popen] = {}

  def start(
    self,
    run: Run,
    command: Sequence[str],
    *,
    cwd: pathlib.Path,
    env: Mapping[str, str],
    cpus: Sequence[int] = (),
  ) -> None:
    """Starts a command.

    Args:
      run: run with the log and the lock.
      command: its words.
      cwd: where it runs.
      env: what is added to this process's environment.
      cpus: CPUs to run on; all if empty.

    Raises:
      DataError: something of the unit is running already.
    """
    run.folder.mkdir(parents=True, exist_ok=True)
    run.result.unlink(missing_ok=True)
    # From here to the child without a gap: a lock belongs to the open file.
    lock = _acquired(run)
    os.ftruncate(lock, 0)  # Of an older group, whose number may be another's.
    try:
      with run.log.open('ab') as log:
        self._children[run.folder] = subprocess.Popen(
          [
            sys.executable, '-I', '-S', str(_SUPERVISOR), str(run.result),
            str(lock), ','.join(map(str, cpus)) or '-', *command,
          ],
          cwd=cwd,
          env={**os.environ, **env},
          stdin=subprocess.DEVNULL,
          stdout=log,
          stderr=subprocess.STDOUT,
          pass_fds=[lock],
          start_new_session=True,
        )  # fmt: skip
    finally:
      os.close(lock)

  def poll(self, run: Run) -> Outcome | None:
    """Returns the outcome of a run; None while any of its processes lives."""
    if is_running(run.folder):
      return None
    # What held the lock lets go of it a moment before it is no more.
    if child := self._children.pop(run.folder, None):
      child.wait()
    return of_status(run.exit_status(), run.log)

  def stop(self, runs: Sequence[Run]) -> None:
    """Ends runs: SIGTERM, and SIGKILL for those that take too long."""
    limit = time.monotonic() + _GRACE_SECONDS
    number = signal.SIGTERM
    told: set[str] = set()
    while alive := [run for run in runs if is_running(run.folder)]:
      if number == signal.SIGTERM and time.monotonic() > limit:
        number, told = signal.SIGKILL, set()
      for run in alive:
        # The lock is held, so the group has not gone and its number is its.
        group = _group(run.folder)
        if group and run.unit.name not in told:
          told.add(run.unit.name)
          with contextlib.suppress(ProcessLookupError):
            os.killpg(group, number)
      time.sleep(0.05)


def is_running(folder: pathlib.Path) -> bool:
  """Returns whether a process of the unit of this folder is alive."""
  if not (folder / 'lock').exists():
    return False
  lock = _acquire(folder, fcntl.LOCK_SH)
  if lock is None:
    return True
  os.close(lock)
  return False


def _acquired(run: Run) -> int:
  limit = time.monotonic() + _LOOK_SECONDS
  while (lock := _acquire(run.folder, fcntl.LOCK_EX)) is None:
    if time.monotonic() > limit:
      raise errors.DataError(
        f'The unit {run.unit.name} must not be running, and something of it '
        f'is: see {run.folder}.'
      )
    time.sleep(0.01)
  return lock


def _acquire(folder: pathlib.Path, kind: int) -> int | None:
  """The unit's lock, open and held; None where somebody holds it."""
  lock = os.open(folder / 'lock', os.O_RDWR | os.O_CREAT, 0o644)
  try:
    fcntl.flock(lock, kind | fcntl.LOCK_NB)
  except BlockingIOError:
    os.close(lock)
    return None
  return lock


def _group(folder: pathlib.Path) -> int:
  """The process group of what holds the lock, 0 where it has yet to say so."""
  text = (folder / 'lock').read_text()
  return int(text) if text.isdigit() else 0

"""Commands on this machine that outlive the launcher and can be found again.

Each runs under `supervise.py`, which holds the lock of the unit's folder as
long as the command or any of its children is alive, and records its exit
status. A later launcher can thus tell whether an attempt is running, ended with
a status, or was killed.
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

from overlap.core import errors
from overlap.launch.executor import Outcome, Run, of_status

_SUPERVISOR = pathlib.Path(__file__).with_name('supervise.py')
# Time for a command to end after SIGTERM, before SIGKILL.
_GRACE_SECONDS = 20.0
# Maximal time for which `is_running` of another process holds the lock.
_LOOK_SECONDS = 2.0


class Supervised:
  """Starts, polls and stops commands."""

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
      run: attempt, whose folder has the log and the lock.
      command: program and arguments.
      cwd: working directory.
      env: additions to this process's environment.
      cpus: CPUs to run on; all if empty.

    Raises:
      DataError: a process of the unit is already running.
    """
    run.folder.mkdir(parents=True, exist_ok=True)
    run.result.unlink(missing_ok=True)
    # The child inherits the lock without a gap, since it belongs to the open
    # file.
    lock = _acquired(run)
    os.ftruncate(lock, 0)  # Remove the id of an older process group.
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
    # A process releases the lock a moment before it exits.
    if child := self._children.pop(run.folder, None):
      child.wait()
    return of_status(run.exit_status(), run.log)

  def stop(self, runs: Sequence[Run]) -> None:
    """Stops runs by SIGTERM, and by SIGKILL after `_GRACE_SECONDS`."""
    limit = time.monotonic() + _GRACE_SECONDS
    number = signal.SIGTERM
    told: set[str] = set()
    while alive := [run for run in runs if is_running(run.folder)]:
      if number == signal.SIGTERM and time.monotonic() > limit:
        number, told = signal.SIGKILL, set()
      for run in alive:
        # The lock is held, so the group exists and its id was not reused.
        group = _group(run.folder)
        if group and run.unit.name not in told:
          told.add(run.unit.name)
          with contextlib.suppress(ProcessLookupError):
            os.killpg(group, number)
      time.sleep(0.05)


def is_running(folder: pathlib.Path) -> bool:
  """Returns whether a process of this folder's unit is alive."""
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
  """Acquires the unit's lock; returns its descriptor, None if it is taken."""
  lock = os.open(folder / 'lock', os.O_RDWR | os.O_CREAT, 0o644)
  try:
    fcntl.flock(lock, kind | fcntl.LOCK_NB)
  except BlockingIOError:
    os.close(lock)
    return None
  return lock


def _group(folder: pathlib.Path) -> int:
  """Returns the process group that holds the lock, 0 if not yet recorded."""
  text = (folder / 'lock').read_text()
  return int(text) if text.isdigit() else 0

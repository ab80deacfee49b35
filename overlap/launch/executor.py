"""Interface of the places where units run."""

import dataclasses
import json
import pathlib
from collections.abc import Sequence
from typing import Any, Protocol

from overlap.launch.units import Unit

DONE, FAILED, PREEMPTED = 'done', 'failed', 'preempted'
# What a command ends with that was told to go, or could not begin: SIGTERM
# and SIGKILL, as Python and as a shell tell of them, and EX_TEMPFAIL.
_TAKEN_AWAY = (-15, -9, 143, 137, 75)

Handle = dict[str, Any]


@dataclasses.dataclass
class Run:
  """One attempt at a unit.

  Attributes:
    unit: what is run.
    folder: folder of the unit, for logs; local.
    attempt: its number, from 1.
    handle: data by which its executor finds it again; plain JSON. `token` names
      the attempts that were started together, and `index` this one of them.
  """

  unit: Unit
  folder: pathlib.Path
  attempt: int
  handle: Handle

  @property
  def log(self) -> pathlib.Path:
    """File that its output is written to."""
    return self.folder / f'attempt_{self.attempt}.log'

  @property
  def result(self) -> pathlib.Path:
    """File with its exit status, as JSON, once it has ended."""
    return self.folder / f'attempt_{self.attempt}.json'

  def exit_status(self) -> int | None:
    """Returns the recorded exit status, None before."""
    try:
      return json.loads(self.result.read_text())['exit_status']
    except FileNotFoundError:
      return None


@dataclasses.dataclass(frozen=True)
class Outcome:
  """Outcome of an attempt.

  Attributes:
    kind: 'done', 'failed', or 'preempted' (taken away, and to be run again).
    exit_status: exit status of the command, where it is known.
    note: what there is to say, one line.
  """

  kind: str
  exit_status: int | None = None
  note: str = ''


class Executor(Protocol):
  """A place where units run.

  Attributes:
    poll_seconds: how long to wait between two looks.
    stops: whether its runs are stopped where the launcher is interrupted;
      elsewhere they go on, and the next launcher finds them.
    batch: how many it takes in one call of `start`.
  """

  poll_seconds: float
  stops: bool
  batch: int

  def places(self, running: Sequence[Handle]) -> list[Handle]:
    """The first handles of what can be started now beside what is running."""
    ...

  def start(self, runs: Sequence[Run]) -> None:
    """Starts attempts, and completes their handles.

    Raises:
      DataError: none of them was started.
    """
    ...

  def poll(self, runs: Sequence[Run]) -> list[Outcome | None]:
    """Returns the outcome of each unit; None while it waits or runs."""
    ...

  def stop(self, runs: Sequence[Run]) -> None:
    """Ends them, and returns when they have ended or can't be waited for."""
    ...

  def where(self, handle: Handle) -> str:
    """A word or two for the table."""
    ...

  def describe(self, runs: Sequence[Run]) -> list[str]:
    """Returns what `start` would do, as lines for people; does nothing."""
    ...


def of_status(status: int | None, log: pathlib.Path | None = None) -> Outcome:
  """The outcome of a command on this machine.

  Preempted are those that SIGTERM or SIGKILL ended, that exited with
  EX_TEMPFAIL (75), and that ended without anyone to note their exit status,
  as where the machine has gone down.

  Args:
    status: exit status as Python has it, -15 for SIGTERM; None where nobody
      knows.
    log: log file; its last line says what failed.
  """
  if status == 0:
    return Outcome(DONE, 0)
  if status is None:
    return Outcome(PREEMPTED, None, 'ended without an exit status')
  if status in _TAKEN_AWAY:
    return Outcome(PREEMPTED, status, f'ended with status {status}')
  note = last_line(log) if log else ''
  return Outcome(FAILED, status, note)


def last_line(log: pathlib.Path) -> str:
  """The last line of a log that says something, '' where there is none."""
  try:
    with log.open('rb') as f:
      f.seek(max(0, log.stat().st_size - 4096))
      text = f.read().decode('utf-8', 'replace')
  except OSError:
    return ''
  lines = [line.strip() for line in text.splitlines() if line.strip()]
  return lines[-1][:300] if lines else ''

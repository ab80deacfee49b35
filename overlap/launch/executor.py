"""Interface of executors, which run units."""

import dataclasses
import json
import pathlib
from collections.abc import Sequence
from typing import Any, Protocol

from overlap.launch.units import Unit

DONE, FAILED, PREEMPTED = 'done', 'failed', 'preempted'
# Exit statuses of preempted commands: SIGTERM and SIGKILL, as reported by
# Python and by a shell, and EX_TEMPFAIL.
_TAKEN_AWAY = (-15, -9, 143, 137, 75)

Handle = dict[str, Any]


@dataclasses.dataclass
class Run:
  """One attempt at a unit.

  Attributes:
    unit: unit to run.
    folder: local folder of the unit, for logs.
    attempt: number of the attempt, from 1.
    handle: JSON data by which the executor identifies the attempt. `token` is
      shared by attempts that were started together; `index` is the attempt's
      index among them.
  """

  unit: Unit
  folder: pathlib.Path
  attempt: int
  handle: Handle

  @property
  def log(self) -> pathlib.Path:
    """File of the command's output."""
    return self.folder / f'attempt_{self.attempt}.log'

  @property
  def result(self) -> pathlib.Path:
    """JSON file with the exit status, written when the command ends."""
    return self.folder / f'attempt_{self.attempt}.json'

  def exit_status(self) -> int | None:
    """Returns the recorded exit status, None if there is none yet."""
    try:
      return json.loads(self.result.read_text())['exit_status']
    except FileNotFoundError:
      return None


@dataclasses.dataclass(frozen=True)
class Outcome:
  """Outcome of an attempt.

  Attributes:
    kind: 'done', 'failed', or 'preempted' (interrupted, and to be run again).
    exit_status: exit status of the command, None if unknown.
    note: explanation in one line, or ''.
  """

  kind: str
  exit_status: int | None = None
  note: str = ''


class Executor(Protocol):
  """Interface of executors.

  Attributes:
    poll_seconds: time between two polls, in seconds.
    stops: whether runs are stopped when the launcher is interrupted; if not,
      they continue, and the next launcher resumes polling them.
    batch: maximal number of runs per call of `start`.
  """

  poll_seconds: float
  stops: bool
  batch: int

  def places(self, running: Sequence[Handle]) -> list[Handle]:
    """Returns initial handles for the runs that can be started now."""
    ...

  def start(self, runs: Sequence[Run]) -> None:
    """Starts attempts, and completes their handles.

    Raises:
      DataError: no attempt was started.
    """
    ...

  def poll(self, runs: Sequence[Run]) -> list[Outcome | None]:
    """Returns the outcome of each run; None while it waits or runs."""
    ...

  def stop(self, runs: Sequence[Run]) -> None:
    """Stops runs, and waits until they have ended if that is possible."""
    ...

  def where(self, handle: Handle) -> str:
    """Returns a short text for the table on where an attempt runs."""
    ...

  def describe(self, runs: Sequence[Run]) -> list[str]:
    """Returns lines that describe `start` for these runs (dry run)."""
    ...


def of_status(status: int | None, log: pathlib.Path | None = None) -> Outcome:
  """Returns the outcome of a command on this machine.

  Commands count as preempted if they were ended by SIGTERM or SIGKILL, exited
  with EX_TEMPFAIL (75), or have no recorded exit status, for example because
  the machine went down.

  Args:
    status: exit status as in Python, -15 for SIGTERM; None if unknown.
    log: log file, whose last line becomes the note of a failure.
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
  """Returns the last non-empty line of a log, '' if there is none."""
  try:
    with log.open('rb') as f:
      f.seek(max(0, log.stat().st_size - 4096))
      text = f.read().decode('utf-8', 'replace')
  except OSError:
    return ''
  lines = [line.strip() for line in text.splitlines() if line.strip()]
  return lines[-1][:300] if lines else ''

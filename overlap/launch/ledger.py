"""State of every unit of a sweep: one small JSON file each, on disk."""

import contextlib
import dataclasses
import datetime
import fcntl
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from overlap import errors, files
from overlap.launch.executor import Outcome, Run
from overlap.launch.units import Unit

WAITING, RUNNING, DONE, FAILED = 'waiting', 'running', 'done', 'failed'
BLOCKED = 'blocked'  # A unit that it needs has failed.


@dataclasses.dataclass
class Record:
  """State of a unit.

  Attributes:
    unit: what it is now.
    folder: where its files are.
    state: 'waiting', 'running', 'done', 'failed' or 'blocked'.
    attempts: one dictionary each: number, started, executor, handle; and,
      where it has ended, ended, outcome, exit_status and note.
  """

  unit: Unit
  folder: pathlib.Path
  state: str = WAITING
  attempts: list[dict[str, Any]] = dataclasses.field(default_factory=list)

  @property
  def last(self) -> dict[str, Any]:
    """The last attempt, {} before the first."""
    return self.attempts[-1] if self.attempts else {}

  @property
  def run(self) -> Run:
    """The attempt that is running."""
    last = self.last
    return Run(self.unit, self.folder, last['number'], last['handle'])


class Ledger:
  """The records of a sweep's units, in a local folder.

  `units/NAME/state.json` is written aside and renamed. What it says of a unit
  is never ahead of what has happened: 'running' is written before a command
  starts, 'done' after it has exited with status 0.
  """

  def __init__(self, folder: pathlib.Path, executor: str):
    self.folder = folder
    self._executor = executor

  @contextlib.contextmanager
  def held(self) -> Iterator[None]:
    """Keeps other launchers from this sweep; they may still look.

    Raises:
      UsageError: one is at work.
    """
    self.folder.mkdir(parents=True, exist_ok=True)
    with (self.folder / 'launcher').open('a+') as f:
      try:
        fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
      except BlockingIOError:
        f.seek(0)
        raise errors.UsageError(
          f'A sweep must have one launcher, and process {f.read().strip()} is '
          f'at work on {self.folder}: --list shows how far it is.'
        ) from None
      f.truncate(0)
      f.write(str(os.getpid()))
      f.flush()
      # Of one that was killed while it wrote.
      for left in self.folder.glob('units/*/.*.partial'):
        if files.is_aside(left) and not left.parent.is_symlink():
          left.unlink(missing_ok=True)
      yield

  def read(
    self, units: Sequence[Unit], again: Sequence[str] = ()
  ) -> list[Record]:
    """The units' records, fresh ones for those that have none.

    Args:
      units: units of the sweep as it is now.
      again: names of those that are to be run anew, done or not.

    Raises:
      UsageError: a unit that is done or running would be another one now; or
        it runs elsewhere than this launcher looks.
    """
    return [self._read(unit, unit.name in again) for unit in units]

  def _read(self, unit: Unit, again: bool) -> Record:
    record = Record(unit, self.folder / 'units' / unit.name)
    file = record.folder / 'state.json'
    if not file.exists():
      return record
    said = files.read_json(file)
    record.attempts = said['attempts']
    running = said['state'] == RUNNING
    if again and not running:
      return record
    if said['digest'] != unit.digest and said['state'] in (DONE, RUNNING):
      raise errors.UsageError(
        f'The unit {unit.name} is {said["state"]} in {self.folder} and was '
        'another one: the sweep, the config or the flags have changed since. '
        'Choices: another --workdir; where the config is meant to have '
        f'changed, --again={unit.name} and `-- --resume=update`.'
      )
    if running and record.last['executor'] != self._executor:
      raise errors.UsageError(
        f'The unit {unit.name} is running on --executor='
        f'{record.last["executor"]}, got --executor={self._executor}.'
      )
    record.state = said['state']
    return record

  def write(self, record: Record) -> None:
    """Writes a record, whole or not at all."""
    files.write_json(
      record.folder / 'state.json',
      {
        'unit': record.unit.name,
        'state': record.state,
        'command': ['overlap', *record.unit.words],
        'digest': record.unit.digest,
        'attempts': record.attempts,
      },
    )

  def begin(self, record: Record, handle: dict[str, Any]) -> None:
    """Notes that an attempt is about to start."""
    record.attempts.append(
      {
        'number': record.last.get('number', 0) + 1,
        'started': _now(),
        'executor': self._executor,
        'handle': handle,
      }
    )
    record.state = RUNNING
    self.write(record)

  def end(self, record: Record, outcome: Outcome, state: str) -> None:
    """Notes how an attempt ended, and what that makes of the unit."""
    record.last.update(
      ended=_now(),
      outcome=outcome.kind,
      exit_status=outcome.exit_status,
      note=outcome.note,
    )
    record.state = state
    self.write(record)


def _now() -> str:
  return datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds')

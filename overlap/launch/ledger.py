"""Ledger of a sweep: the state of every unit, one small JSON file each."""

import contextlib
import dataclasses
import datetime
import fcntl
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from overlap.core import errors, files
from overlap.launch.executor import Outcome, Run
from overlap.launch.units import Unit

WAITING, RUNNING, DONE, FAILED = 'waiting', 'running', 'done', 'failed'
BLOCKED = 'blocked'  # A unit that it depends on has failed.


@dataclasses.dataclass
class Record:
  """State of a unit.

  Attributes:
    unit: current definition of the unit.
    folder: folder of the unit's files.
    state: 'waiting', 'running', 'done', 'failed' or 'blocked'.
    attempts: one dictionary per attempt: number, started, executor, handle;
      and after its end, ended, outcome, exit_status and note.
  """

  unit: Unit
  folder: pathlib.Path
  state: str = WAITING
  attempts: list[dict[str, Any]] = dataclasses.field(default_factory=list)

  @property
  def last(self) -> dict[str, Any]:
    """Last attempt, {} before the first."""
    return self.attempts[-1] if self.attempts else {}

  @property
  def run(self) -> Run:
    """Last attempt as a `Run`."""
    last = self.last
    return Run(self.unit, self.folder, last['number'], last['handle'])


class Ledger:
  """Records of a sweep's units, in a local folder.

  `units/NAME/state.json` is written to a temporary file and renamed. 'running'
  is written before a command starts, and 'done' only after it has exited with
  status 0.
  """

  def __init__(self, folder: pathlib.Path, executor: str):
    self.folder = folder
    self._executor = executor

  @contextlib.contextmanager
  def held(self) -> Iterator[None]:
    """Locks the sweep against other launchers, which may still read it.

    Raises:
      UsageError: another launcher holds the lock.
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
      # Remove temporary files of a launcher that was killed while writing.
      for left in self.folder.glob('units/*/.*.partial'):
        if files.is_aside(left) and not left.parent.is_symlink():
          left.unlink(missing_ok=True)
      yield

  def read(
    self, units: Sequence[Unit], again: Sequence[str] = ()
  ) -> list[Record]:
    """Reads the units' records, or creates them.

    Args:
      units: units of the current sweep.
      again: names of units to run again even if they are done.

    Raises:
      UsageError: the definition of a unit that is done or running has changed,
        or a unit is running on another executor.
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
    """Writes a record atomically."""
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
    """Records that an attempt is about to start."""
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
    """Records the outcome of an attempt and the new state of the unit."""
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

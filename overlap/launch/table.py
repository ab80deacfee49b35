"""Display of the states of a sweep's units: a live table, or plain lines."""

import datetime
import shutil
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import TextIO

from overlap.launch.executor import Executor
from overlap.launch.ledger import RUNNING, Record

_EVERY_SECONDS = 60.0
_ORDER = ('done', 'running', 'waiting', 'failed', 'blocked')


def rows(
  records: Sequence[Record], executor: Executor, *, width: int = 80
) -> list[str]:
  """Returns one line per unit and a summary, at most `width` wide."""
  longest = max((len(record.unit.name) for record in records), default=0)
  lines = [
    f'{record.unit.name:{longest}}  {record.state:8}{_said(record, executor)}'
    for record in records
  ]
  return [line.rstrip()[:width] for line in (*lines, summary(records))]


def summary(records: Sequence[Record]) -> str:
  """Returns the number of units in each state: '3 done, 2 running of 8'."""
  counts = Counter(record.state for record in records)
  said = ', '.join(f'{counts[s]} {s}' for s in _ORDER if counts[s])
  return f'{said or "0 units"} of {len(records)}'


class Live:
  """Shows records as they change.

  On a terminal it redraws one table; elsewhere it prints a line for each change
  and a summary each minute.
  """

  def __init__(self, stream: TextIO | None = None):
    self._stream, self._drawn = stream or sys.stdout, 0
    self._seen: dict[str, tuple] = {}
    self._last = time.monotonic()

  def __call__(self, records: Sequence[Record], executor: Executor) -> None:
    """Shows the current states."""
    if self._stream.isatty():
      self._draw(records, executor)
    else:
      self._tell(records, executor)
    self._stream.flush()

  def _draw(self, records: Sequence[Record], executor: Executor) -> None:
    size = shutil.get_terminal_size()
    lines = rows(records, executor, width=size.columns)
    if len(lines) > size.lines - 1:  # Show only active units and the summary.
      kept = [r for r in records if r.state not in ('done', 'waiting')]
      lines = rows(kept, executor, width=size.columns)[:-1]
      lines = [*lines[: max(0, size.lines - 2)], summary(records)]
    if self._drawn:  # Move to the first line and clear everything below.
      self._stream.write(f'\x1b[{self._drawn}A\x1b[J')
    self._stream.write('\n'.join(lines) + '\n')
    self._drawn = len(lines)

  def _tell(self, records: Sequence[Record], executor: Executor) -> None:
    changed = False
    for record in records:
      now = (record.state, len(record.attempts), record.last.get('outcome'))
      before = self._seen.get(record.unit.name)
      self._seen[record.unit.name] = now
      if now != before and (before or record.state != 'waiting'):
        said = _said(record, executor)
        print(_clock(), record.unit.name, record.state, said.strip(),
              file=self._stream)  # fmt: skip
        changed = True
    if changed or time.monotonic() - self._last >= _EVERY_SECONDS:
      self._last = time.monotonic()
      print(_clock(), summary(records), file=self._stream)


def _said(record: Record, executor: Executor) -> str:
  """Returns where a unit is running and for how long, or its outcome."""
  last = record.last
  if not last:
    return ''
  count = f'  attempt {last["number"]}' if last['number'] > 1 else ''
  if record.state == RUNNING:
    return f'  {executor.where(last["handle"])}  {_age(last["started"])}{count}'
  if record.state == 'done':
    return f'  {_age(last["started"], last["ended"])}{count}'
  outcome, note = last.get('outcome', ''), last.get('note', '')
  return f'{count}  {outcome}: {note}' if note else f'{count}  {outcome}'


def _age(start: str, end: str = '') -> str:
  first = datetime.datetime.fromisoformat(start)
  last = (
    datetime.datetime.fromisoformat(end)
    if end
    else datetime.datetime.now(datetime.UTC)
  )
  seconds = int((last - first).total_seconds())
  hours, minutes = seconds // 3600, seconds // 60 % 60
  return f'{hours}:{minutes:02}:{seconds % 60:02}'


def _clock() -> str:
  return time.strftime('%H:%M:%S')

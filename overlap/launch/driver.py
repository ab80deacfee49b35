"""Driver of a sweep: starts its units, polls them, and retries."""

import time
import uuid
from collections.abc import Callable, Sequence

from overlap.core import errors
from overlap.launch import ledger as ledger_lib
from overlap.launch.executor import DONE, PREEMPTED, Executor, Outcome
from overlap.launch.ledger import Ledger, Record

Show = Callable[[Sequence[Record], Executor], None]
STOPPED = 'stopped'  # Outcome of units stopped by the user.


class Driver:
  """Driver of a sweep's units on an executor.

  Attributes:
    records: records of all units, in the sweep's order.
  """

  def __init__(
    self,
    records: Sequence[Record],
    ledger: Ledger,
    executor: Executor,
    *,
    retries: int,
    show: Show,
  ):
    """Prepares to run all units that are not done.

    Args:
      records: records of the ledger. Running units are resumed, and units that
        failed under an earlier launcher are tried again.
      ledger: ledger that stores the states.
      executor: executor of the units.
      retries: maximal number of restarts of a preempted unit by this launcher.
        Failed units are not restarted.
      show: callback for all records after each possible change.
    """
    self.records = list(records)
    self._ledger, self._executor = ledger, executor
    self._retries, self._show = retries, show
    self._taken_away: dict[str, int] = {}
    for record in self.records:
      if record.state in (ledger_lib.FAILED, ledger_lib.BLOCKED):
        record.state = ledger_lib.WAITING

  def run(self) -> bool:
    """Runs all units; returns whether all are done.

    On a KeyboardInterrupt, running units are stopped if the executor's `stops`
    is true.

    Raises:
      DataError: units can't be started; running units continue.
    """
    try:
      while True:
        self._look()
        self._block()
        while self._start():
          pass
        self._show(self.records, self._executor)
        if not (self._in(ledger_lib.RUNNING) or self._in(ledger_lib.WAITING)):
          break
        time.sleep(self._executor.poll_seconds)
    except KeyboardInterrupt:
      if self._executor.stops:
        self.stop()
      raise
    return len(self._in(ledger_lib.DONE)) == len(self.records)

  def stop(self) -> int:
    """Stops all running units and returns their number."""
    running = self._in(ledger_lib.RUNNING)
    self._executor.stop([record.run for record in running])
    outcomes = self._executor.poll([record.run for record in running])
    for record, outcome in zip(running, outcomes, strict=True):
      if outcome and outcome.kind == DONE:  # It ended before the stop.
        self._ledger.end(record, outcome, ledger_lib.DONE)
      else:
        stopped = Outcome(STOPPED, None, 'stopped by the launcher')
        self._ledger.end(record, stopped, ledger_lib.WAITING)
    self._show(self.records, self._executor)
    return len(running)

  def _in(self, state: str) -> list[Record]:
    return [record for record in self.records if record.state == state]

  def _look(self) -> None:
    running = self._in(ledger_lib.RUNNING)
    if not running:
      return
    outcomes = self._executor.poll([record.run for record in running])
    for record, outcome in zip(running, outcomes, strict=True):
      if outcome:
        self._ledger.end(record, outcome, self._after(record, outcome))

  def _after(self, record: Record, outcome: Outcome) -> str:
    if outcome.kind == DONE:
      return ledger_lib.DONE
    if outcome.kind != PREEMPTED:
      return ledger_lib.FAILED
    name = record.unit.name
    self._taken_away[name] = self._taken_away.get(name, 0) + 1
    if self._taken_away[name] > self._retries:
      return ledger_lib.FAILED
    return ledger_lib.WAITING

  def _block(self) -> None:
    """Marks units as blocked that depend on a failed unit, even indirectly."""
    lost = {
      record.unit.name
      for record in self.records
      if record.state in (ledger_lib.FAILED, ledger_lib.BLOCKED)
    }
    # Units come after those they depend on.
    for record in self._in(ledger_lib.WAITING):
      if lost & set(record.unit.after):
        record.state = ledger_lib.BLOCKED
        lost.add(record.unit.name)
        self._ledger.write(record)

  def _start(self) -> bool:
    """Starts a batch of ready units; returns whether there were any."""
    done = {record.unit.name for record in self._in(ledger_lib.DONE)}
    ready = [
      record
      for record in self._in(ledger_lib.WAITING)
      if done.issuperset(record.unit.after)
    ]
    if not ready:
      return False
    running = [r.run.handle for r in self._in(ledger_lib.RUNNING)]
    places = self._executor.places(running)[: self._executor.batch]
    token = uuid.uuid4().hex[:12]
    chosen = ready[: len(places)]
    for index, (record, place) in enumerate(zip(chosen, places)):
      self._ledger.begin(record, {**place, 'token': token, 'index': index})
    if chosen:
      self._start_all(chosen)
    return bool(chosen)

  def _start_all(self, chosen: Sequence[Record]) -> None:
    try:
      self._executor.start([record.run for record in chosen])
    except errors.DataError as e:
      for record in chosen:
        self._ledger.end(
          record, Outcome(STOPPED, None, str(e)), ledger_lib.WAITING
        )
      raise
    for record in chosen:  # Store the completed handles.
      self._ledger.write(record)

"""Runs the units of a sweep: starts, looks after, and tries again."""

import time
import uuid
from collections.abc import Callable, Sequence

from overlap import errors
from overlap.launch import ledger as ledger_lib
from overlap.launch.executor import DONE, PREEMPTED, Executor, Outcome
from overlap.launch.ledger import Ledger, Record

Show = Callable[[Sequence[Record], Executor], None]
STOPPED = 'stopped'  # By whoever interrupted the launcher.


class Driver:
  """One launcher's work on a sweep.

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
    """Sets out to run what is not done.

    Args:
      records: records of the ledger. What is running is found again; what
        failed before is tried again.
      ledger: where everything is noted.
      executor: where units run.
      retries: how often, beside the first time, a unit that is taken away is
        started by this launcher. What fails is not tried again.
      show: called with all records each time something may have changed.
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

    An interrupted one stops what it has started where the executor says so.

    Raises:
      DataError: units can't be started; what is running goes on.
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
    """Ends what is running; returns how many there were."""
    running = self._in(ledger_lib.RUNNING)
    self._executor.stop([record.run for record in running])
    outcomes = self._executor.poll([record.run for record in running])
    for record, outcome in zip(running, outcomes, strict=True):
      if outcome and outcome.kind == DONE:  # It was quicker.
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
    """Gives up units that need one that has failed, at any remove."""
    lost = {
      record.unit.name
      for record in self.records
      if record.state in (ledger_lib.FAILED, ledger_lib.BLOCKED)
    }
    # Each comes after what it needs.
    for record in self._in(ledger_lib.WAITING):
      if lost & set(record.unit.after):
        record.state = ledger_lib.BLOCKED
        lost.add(record.unit.name)
        self._ledger.write(record)

  def _start(self) -> bool:
    """Starts as many as are taken together; returns whether there were any."""
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
    for record in chosen:  # With what their handles have got.
      self._ledger.write(record)

"""Executor that runs units as processes on this machine."""

import shlex
import sys
from collections.abc import Sequence

from overlap.launch import devices, units
from overlap.launch.executor import Handle, Outcome, Run
from overlap.launch.options import Options
from overlap.launch.supervised import Supervised


class Local:
  """Pool of processes that divide this machine's devices.

  Runs count as preempted if they were ended by SIGTERM or SIGKILL (as by the
  system when memory runs out or before a shutdown), exited with status 75, or
  have no recorded exit status.
  """

  poll_seconds = 0.5
  stops = True
  batch = 1

  def __init__(self, program: Sequence[str], shares: Sequence[devices.Share]):
    """Creates a pool.

    Args:
      program: command line that starts `overlap`.
      shares: share of the devices of each process; their number is the number
        of concurrent processes.
    """
    self._program, self._shares = list(program), list(shares)
    self._supervised = Supervised()

  def places(self, running: Sequence[Handle]) -> list[Handle]:
    taken = {handle['slot'] for handle in running}
    free = [i for i in range(len(self._shares)) if i not in taken]
    # A run of an earlier launcher may be in a slot that no longer exists.
    count = max(0, len(self._shares) - len(running))
    return [{'slot': slot} for slot in free[:count]]

  def start(self, runs: Sequence[Run]) -> None:
    for run in runs:
      share = self._shares[run.handle['slot']]
      self._supervised.start(
        run, self._command(run), cwd=units.ROOT, env=share.env, cpus=share.cpus
      )

  def poll(self, runs: Sequence[Run]) -> list[Outcome | None]:
    return [self._supervised.poll(run) for run in runs]

  def stop(self, runs: Sequence[Run]) -> None:
    self._supervised.stop(runs)

  def where(self, handle: Handle) -> str:
    slot = handle['slot']
    return self._shares[slot].label if slot < len(self._shares) else f'{slot}'

  def describe(self, runs: Sequence[Run]) -> list[str]:
    return [shlex.join(self._command(run)) for run in runs]

  def _command(self, run: Run) -> list[str]:
    return [*self._program, *run.unit.words]


def make_pool(options: Options) -> Local:
  """Creates the pool from the launcher's flags."""
  program = options.program or (sys.executable, '-m', 'overlap')
  return Local(program, devices.divide(options.devices, options.parallel))

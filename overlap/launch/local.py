"""Units as processes of this machine, so many at a time."""

import shlex
import sys
from collections.abc import Sequence

from overlap.launch import devices, units
from overlap.launch.executor import Handle, Outcome, Run
from overlap.launch.options import Options
from overlap.launch.supervised import Supervised


class Local:
  """A pool of processes that share out this machine's devices.

  Preempted is what SIGTERM or SIGKILL ended (the system takes processes away
  when memory runs out, or before it goes down), what exited with status 75, and
  what ended without a trace of its exit status.
  """

  poll_seconds = 0.5
  stops = True
  batch = 1

  def __init__(self, program: Sequence[str], shares: Sequence[devices.Share]):
    """Prepares a pool.

    Args:
      program: the words that start `overlap`.
      shares: what each process gets; as many run at a time.
    """
    self._program, self._shares = list(program), list(shares)
    self._supervised = Supervised()

  def places(self, running: Sequence[Handle]) -> list[Handle]:
    taken = {handle['slot'] for handle in running}
    free = [i for i in range(len(self._shares)) if i not in taken]
    # One of an earlier launcher may be in a slot that is no more.
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


def make(options: Options) -> Local:
  """The pool that the launcher's flags describe."""
  program = options.program or (sys.executable, '-m', 'overlap')
  return Local(program, devices.divide(options.devices, options.parallel))

"""Executor that runs units on TPU VMs, one at a time on each."""

import os
import shlex
import subprocess
from collections.abc import Sequence

from absl import logging

from overlap.core import errors
from overlap.launch import programs, units
from overlap.launch.executor import Handle, Outcome, Run
from overlap.launch.options import Options
from overlap.launch.supervised import Supervised

_READY = 'READY'


class TpuVm:
  """TPU VMs, each controlled over ssh by launch/tpu_run.sh on this machine.

  Runs count as preempted if their VM is no longer ready when they end, or the
  connection is lost: tpu_run.sh then exits with status 75. Units are started on
  VMs that are ready; with TPU_CREATE=TYPE in the environment, other VMs are
  created and set up first. A command that still runs on a VM after a lost
  connection holds a lock, for which the next command waits.
  """

  poll_seconds = 30.0
  stops = True
  batch = 1

  def __init__(self, names: Sequence[str]):
    """Creates an executor.

    Args:
      names: names of the VMs.
    """
    self._names = list(names)
    self._states: dict[str, str] = {}
    self._supervised = Supervised()

  def places(self, running: Sequence[Handle]) -> list[Handle]:
    taken = {handle['tpu'] for handle in running}
    free = (name for name in self._names if name not in taken)
    if os.environ.get('TPU_CREATE'):
      return [{'tpu': name} for name in free]
    return [{'tpu': name} for name in free if self._is_ready(name)]

  def start(self, runs: Sequence[Run]) -> None:
    for run in runs:
      self._supervised.start(run, _command(run), cwd=units.ROOT, env={})

  def poll(self, runs: Sequence[Run]) -> list[Outcome | None]:
    return [self._supervised.poll(run) for run in runs]

  def stop(self, runs: Sequence[Run]) -> None:
    # Stop the remote commands first; the local processes only wait for them.
    script = str(units.ROOT / 'launch' / 'tpu_run.sh')
    for run in runs:
      subprocess.run(
        [script, '--stop', run.handle['tpu']],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
      )
    self._supervised.stop(runs)

  def _is_ready(self, name: str) -> bool:
    state = _state(name)
    if self._states.get(name, _READY) != state:
      logging.info('%s is %s', name, state or 'not there')
    self._states[name] = state
    return state == _READY

  def where(self, handle: Handle) -> str:
    return handle['tpu']

  def describe(self, runs: Sequence[Run]) -> list[str]:
    return [
      shlex.join(
        _command(
          Run(run.unit, run.folder, run.attempt, {'tpu': self._names[i]})
        )
      )
      for i, run in zip(_cycle(len(self._names), len(runs)), runs)
    ]


def make_vms(options: Options) -> TpuVm:
  """Creates the executor from the launcher's flags.

  Raises:
    UsageError: no VM or zone is named, a VM is repeated, or the workdir is not
      gs://.
  """
  if not options.tpus or len(set(options.tpus)) < len(options.tpus):
    raise errors.UsageError(
      '--tpus must name TPU VMs, each once, as in --tpus=t1,t2, got '
      f'{",".join(options.tpus)!r}.'
    )
  if not os.environ.get('TPU_ZONE'):
    raise errors.UsageError(
      'TPU_ZONE must name the zone of the TPU VMs, as in '
      'TPU_ZONE=us-central1-a, got nothing.'
    )
  if not options.absolute_workdir.startswith('gs://'):
    raise errors.UsageError(
      '--workdir must be a folder of gs:// for --executor=tpu_vm, since the '
      f'disks of a VM go with it, got {options.workdir!r}.'
    )
  return TpuVm(options.tpus)


def _command(run: Run) -> list[str]:
  # Words pass through a shell only on the VM; the script quotes each of them
  # for it (shlex).
  script = str(units.ROOT / 'launch' / 'tpu_run.sh')
  return [script, run.handle['tpu'], *run.unit.words]


def _state(name: str) -> str:
  """Returns gcloud's state of a VM, '' if the VM is absent."""
  project = os.environ.get('TPU_PROJECT')
  words = [
    'gcloud', 'compute', 'tpus', 'tpu-vm', 'describe', name,
    f'--zone={os.environ["TPU_ZONE"]}', '--format=value(state)',
  ]  # fmt: skip
  try:
    said = programs.ask([*words, *([f'--project={project}'] * bool(project))])
  except errors.DataError:
    return ''
  return said.strip()


def _cycle(size: int, count: int) -> list[int]:
  return [i % size for i in range(count)]

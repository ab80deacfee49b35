"""Executor that runs units as managed jobs of SkyPilot."""

import json
import pathlib
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from overlap.core import errors, files
from overlap.launch import programs, units
from overlap.launch.executor import (
  DONE,
  FAILED,
  PREEMPTED,
  Handle,
  Outcome,
  Run,
)
from overlap.launch.options import Options

_NO_FAULT_OF_OURS = ('FAILED_NO_RESOURCE', 'FAILED_CONTROLLER')
_FAILED = ('FAILED', 'FAILED_SETUP', 'FAILED_PRECHECKS', 'CANCELLED')


class SkyPilot:
  """Managed jobs of SkyPilot, one per unit.

  SkyPilot itself restarts jobs whose machine was preempted. Here, jobs count as
  preempted if they end as FAILED_NO_RESOURCE or FAILED_CONTROLLER, or are
  unknown to SkyPilot.
  """

  poll_seconds = 60.0
  stops = False
  batch = 1

  def __init__(
    self,
    program: Sequence[str],
    resources: Mapping[str, Any],
    *,
    parallel: int = 0,
  ):
    """Creates an executor.

    Args:
      program: command line that starts `overlap` in the project's folder on the
        remote machine.
      resources: resources of each job, as in a task of SkyPilot.
      parallel: maximal number of concurrent jobs; 0 for no limit.
    """
    self._program, self._resources = list(program), dict(resources)
    self._parallel = parallel
    self._silent = programs.Patience()

  def places(self, running: Sequence[Handle]) -> list[Handle]:
    if not self._parallel:
      return [{}]
    return [{} for _ in range(self._parallel - len(running))]

  def start(self, runs: Sequence[Run]) -> None:
    for run in runs:
      files.write_text(_file(run), self._task(run))
      programs.ask(_launch(run))

  def poll(self, runs: Sequence[Run]) -> list[Outcome | None]:
    try:
      said = programs.ask(
        ['sky', 'jobs', 'queue', '--refresh', '--all', '--output=json']
      )
      jobs = _parse(said)
    except errors.DataError:
      if self._silent.lost('queue', again=True):
        raise
      return [None] * len(runs)
    self._silent.lost('queue', again=False)
    return [self._outcome(run, jobs.get(_name(run))) for run in runs]

  def stop(self, runs: Sequence[Run]) -> None:
    for run in runs:
      programs.ask(['sky', 'jobs', 'cancel', '--yes', f'--name={_name(run)}'])

  def where(self, handle: Handle) -> str:
    return handle.get('status', 'submitted').lower()

  def describe(self, runs: Sequence[Run]) -> list[str]:
    lines = []
    for i, run in enumerate(runs):
      run = Run(run.unit, run.folder, run.attempt, {
        'token': 'TOKEN', 'index': i})  # fmt: skip
      lines += [f'# {_file(run)}', self._task(run), shlex.join(_launch(run))]
    return lines

  def _task(self, run: Run) -> str:
    """Returns the task's YAML, written as JSON for unambiguous quoting."""
    extras = 'quickstart'
    accelerators = str(self._resources.get('accelerators', ''))
    if accelerators:
      kind = 'tpu' if accelerators.lower().startswith('tpu') else 'cuda'
      extras = f'{kind},{extras}'
    task = {
      'name': _name(run),
      'workdir': str(units.ROOT),
      'resources': self._resources,
      'setup': (
        "bash -c 'set -euo pipefail; source launch/environment.sh; "
        f'is_installed "sky-{extras}" || ensure "sky-{extras}" "{extras}"\''
      ),
      'run': shlex.join([*self._program, *run.unit.words]),
    }
    return json.dumps(task, indent=2, ensure_ascii=False) + '\n'

  def _outcome(self, run: Run, job: Mapping[str, Any] | None) -> Outcome | None:
    if self._silent.lost(_name(run), again=job is None):
      return Outcome(PREEMPTED, None, 'SkyPilot does not know it')
    if job is None:
      return None
    status = str(job.get('status') or '')
    run.handle['status'] = status
    note = f'{status} {job.get("failure_reason") or ""}'.strip()
    if status == 'SUCCEEDED':
      return Outcome(DONE, 0)
    if status in _NO_FAULT_OF_OURS:
      return Outcome(PREEMPTED, None, note)
    return Outcome(FAILED, None, note) if status in _FAILED else None


def make_jobs(options: Options) -> SkyPilot:
  """Creates the executor from the launcher's flags.

  Raises:
    UsageError: the workdir is local, or a resource is not KEY=VALUE.
  """
  if '://' not in options.absolute_workdir:
    raise errors.UsageError(
      '--workdir must be in a bucket, as in gs://..., for --executor=skypilot, '
      f'since machines come and go, got {options.workdir!r}.'
    )
  return SkyPilot(
    options.program or ('.venv/bin/overlap',),
    dict(_resource(text) for text in options.resources),
    parallel=options.parallel,
  )


def _resource(text: str) -> tuple[str, Any]:
  key, equals, value = text.partition('=')
  if not (key and equals):
    raise errors.UsageError(
      f'--resources must be KEY=VALUE, as in use_spot=true, got {text!r}.'
    )
  try:
    return key, json.loads(value)
  except ValueError:
    return key, value


def _name(run: Run) -> str:
  return f'overlap-{run.handle["token"]}-{run.handle["index"]}'


def _file(run: Run) -> pathlib.Path:
  return run.folder / f'attempt_{run.attempt}.yaml'


def _launch(run: Run) -> list[str]:
  return [
    'sky', 'jobs', 'launch', '--yes', '--detach-run', f'--name={_name(run)}',
    str(_file(run)),
  ]  # fmt: skip


def _parse(said: str) -> dict[str, Mapping[str, Any]]:
  """Parses jobs by name from JSON output, which may begin with other lines.

  Raises:
    DataError: the output has no list of jobs.
  """
  lines = said.splitlines(keepends=True)
  starts = [i for i, line in enumerate(lines) if line.lstrip().startswith('[')]
  try:
    jobs = json.loads(''.join(lines[starts[0] :])) if starts else None
  except ValueError:
    jobs = None
  if not isinstance(jobs, list):
    raise errors.DataError(
      f'sky jobs queue must print a list of jobs, got {said[:100]!r}.'
    )
  return {str(job.get('job_name')): job for job in jobs}

"""Executor that runs units as elements of job arrays of Slurm."""

import pathlib
import shlex
from collections.abc import Sequence

from overlap.core import errors, files
from overlap.launch import programs, units
from overlap.launch.executor import (
  DONE,
  FAILED,
  PREEMPTED,
  Handle,
  Outcome,
  Run,
  last_line,
  of_status,
)
from overlap.launch.options import Options

# States of preempted elements and of those out of time; `overlap` resumes them.
_TAKEN_AWAY = (
  'PREEMPTED', 'NODE_FAIL', 'BOOT_FAIL', 'TIMEOUT', 'DEADLINE', 'REVOKED',
)  # fmt: skip
_FAILED = ('CANCELLED', 'OUT_OF_MEMORY', 'FAILED')


class Slurm:
  """Slurm cluster whose nodes share the project's folder and the workdir.

  Units that are ready at the same time form one job array. Elements count as
  preempted in state PREEMPTED, NODE_FAIL, BOOT_FAIL, TIMEOUT, DEADLINE or
  REVOKED, if they were ended by SIGTERM or SIGKILL, or if they are unknown to
  Slurm. Requeueing by Slurm is disabled, so that restarts can be counted.
  """

  poll_seconds = 30.0
  stops = False
  batch = 1000  # Size of an array that clusters commonly allow.

  def __init__(
    self,
    program: Sequence[str],
    *,
    folder: pathlib.Path,
    flags: Sequence[str] = (),
    parallel: int = 0,
  ):
    """Creates an executor.

    Args:
      program: command line that starts `overlap` on a node.
      folder: folder for scripts, shared with the nodes.
      flags: flags of sbatch.
      parallel: maximal number of concurrent elements per array; 0 for no limit.
    """
    self._program, self._folder = list(program), folder
    self._flags, self._parallel = list(flags), parallel
    self._silent = programs.Patience()

  def places(self, running: Sequence[Handle]) -> list[Handle]:
    del running  # The cluster schedules them.
    return [{} for _ in range(self.batch)]

  def start(self, runs: Sequence[Run]) -> None:
    script = self._folder / f'{runs[0].handle["token"]}.sh'
    files.write_text(script, self._script(runs))
    # The output is JOB or JOB;CLUSTER.
    job = programs.ask(self._sbatch(runs, script)).strip().partition(';')[0]
    if not job.isdigit():
      raise errors.DataError(f'sbatch must print a job number, got {job!r}.')
    for run in runs:
      run.handle['job'] = job

  def poll(self, runs: Sequence[Run]) -> list[Outcome | None]:
    states = self._states(runs)
    if states is None:
      # Ended runs have recorded their exit status themselves.
      noted = [(run, run.exit_status()) for run in runs]
      return [
        None if status is None else of_status(status, run.log)
        for run, status in noted
      ]
    return [self._outcome(run, states) for run in runs]

  def stop(self, runs: Sequence[Run]) -> None:
    elements = [_element(run) for run in runs if run.handle.get('job')]
    if elements:
      programs.ask(['scancel', *elements])

  def where(self, handle: Handle) -> str:
    job, state = handle.get('job', ''), handle.get('state', '')
    return f'{job}_{handle["index"]} {state.lower()}'.rstrip()

  def describe(self, runs: Sequence[Run]) -> list[str]:
    if not runs:
      return []
    script = self._folder / 'TOKEN.sh'
    runs = [
      Run(r.unit, r.folder, r.attempt, {'token': 'TOKEN', 'index': i})
      for i, r in enumerate(runs)
    ]
    return [f'# {script}', self._script(runs), shlex.join(
      self._sbatch(runs, script))]  # fmt: skip

  def _sbatch(self, runs: Sequence[Run], script: pathlib.Path) -> list[str]:
    most = f'%{self._parallel}' if self._parallel else ''
    output = str(script.with_suffix('')).replace('%', '%%')
    return [
      'sbatch', '--parsable', f'--job-name={_name(runs[0])}',
      f'--array=0-{len(runs) - 1}{most}', f'--output={output}_%a.out',
      '--no-requeue', *self._flags, str(script),
    ]  # fmt: skip

  def _script(self, runs: Sequence[Run]) -> str:
    """Returns the batch script, with every word quoted."""
    lines = [
      '#!/usr/bin/env bash',
      f'cd -- {shlex.quote(str(units.ROOT))} || exit 1',
      'case "$SLURM_ARRAY_TASK_ID" in',
    ]
    for run in runs:
      words = shlex.join([*self._program, *run.unit.words])
      lines += [
        f'  {run.handle["index"]})',
        f'    log={shlex.quote(str(run.log))}',
        f'    result={shlex.quote(str(run.result))}',
        f'    words=({words})',
        '    ;;',
      ]
    lines += [
      'esac',
      'srun --kill-on-bad-exit=1 "${words[@]}" >>"$log" 2>&1',
      'status=$?',
      'echo "{\\"exit_status\\": $status}" >"$result.partial"',
      'mv -- "$result.partial" "$result"',
      'exit "$status"',
      '',
    ]
    return '\n'.join(lines)

  def _outcome(
    self, run: Run, states: dict[str, tuple[str, str]]
  ) -> Outcome | None:
    status = run.exit_status()
    if status == 0:
      return Outcome(DONE, 0)
    state, code = states.get(_element(run), ('', ''))
    run.handle['state'] = state
    name = f'{run.unit.name} {run.attempt}'
    unknown = self._silent.lost(name, again=not state)
    if state == 'COMPLETED':
      return Outcome(DONE, 0)
    if state in _TAKEN_AWAY:
      return Outcome(PREEMPTED, status, state)
    if state == 'FAILED':
      return of_status(_of_slurm(code) if status is None else status, run.log)
    if state in _FAILED:
      return Outcome(FAILED, status, f'{state} {last_line(run.log)}'.strip())
    if unknown and status is None:
      return Outcome(PREEMPTED, None, 'Slurm does not know it')
    # Without accounting, use the status that the run recorded itself.
    return of_status(status, run.log) if unknown else None

  def _states(self, runs: Sequence[Run]) -> dict[str, tuple[str, str]] | None:
    """Returns state and exit code by element; None if Slurm does not answer.

    Raises:
      DataError: sacct and squeue have failed too often in a row.
    """
    for run in runs:
      if not run.handle.get('job'):
        run.handle['job'] = _find(_name(run))
    jobs = ','.join(sorted({r.handle['job'] for r in runs if r.handle['job']}))
    states: dict[str, tuple[str, str]] = {}
    answered, fault = not jobs, None
    # squeue also lists elements that are not in the accounting yet.
    for words in (
      ['squeue', '-h', '--array', '-t', 'all', '-o', '%i|%T|', '-j', jobs],
      ['sacct', '-X', '-n', '-P', '-o', 'JobID,State,ExitCode', '-j', jobs],
    ) * bool(jobs):
      try:
        states |= _parse(programs.ask(words))
        answered = True
      except errors.DataError as e:
        # squeue's error for jobs that it no longer lists.
        answered |= 'Invalid job id' in str(e)
        fault = e
    if self._silent.lost('queue', again=not answered) and fault:
      raise fault
    return states if answered else None


def make_cluster(options: Options) -> Slurm:
  """Creates the executor from the launcher's flags."""
  program = options.program or (f'{units.ROOT}/.venv/bin/overlap',)
  return Slurm(
    program,
    folder=options.state_folder / 'slurm',
    flags=options.sbatch,
    parallel=options.parallel,
  )


def _name(run: Run) -> str:
  return f'overlap-{run.handle["token"]}'


def _element(run: Run) -> str:
  return f'{run.handle.get("job")}_{run.handle["index"]}'


def _of_slurm(code: str) -> int:
  """Converts Slurm's STATUS:SIGNAL to an exit status as in Python."""
  status, _, signal = code.partition(':')
  number = int(signal) if signal.isdigit() else 0
  return -number if number else int(status) if status.isdigit() else 1


def _parse(said: str) -> dict[str, tuple[str, str]]:
  found = (line.split('|') for line in said.splitlines() if line.count('|') > 1)
  # States may have a suffix, as in 'CANCELLED by 1000'.
  return {
    element: (state.split(' ')[0], code) for element, state, code, *_ in found
  }


def _find(name: str) -> str:
  """Returns the number of a job by name, for a launcher that was killed."""
  for words in (
    ['squeue', '-h', '-o', '%F', f'--name={name}'],
    ['sacct', '-X', '-n', '-P', '-o', 'JobID', '-S', 'now-30days',
     f'--name={name}'],
  ):  # fmt: skip
    try:
      found = programs.ask(words).split()
    except errors.DataError:
      continue
    if found:
      return found[0].partition('_')[0]
  return ''

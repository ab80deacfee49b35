"""Units as the elements of job arrays of Slurm."""

import pathlib
import shlex
from collections.abc import Sequence

from overlap import errors, files
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

# Taken away, or out of time: overlap goes on from where it was.
_TAKEN_AWAY = (
  'PREEMPTED', 'NODE_FAIL', 'BOOT_FAIL', 'TIMEOUT', 'DEADLINE', 'REVOKED',
)  # fmt: skip
_FAILED = ('CANCELLED', 'OUT_OF_MEMORY', 'FAILED')


class Slurm:
  """A cluster whose nodes share the project's folder and the workdir.

  What is ready together is one job array. Preempted is an element in state
  PREEMPTED, NODE_FAIL, BOOT_FAIL, TIMEOUT, DEADLINE or REVOKED, one that
  SIGTERM or SIGKILL ended, and one that Slurm no longer knows. Slurm requeues
  none by itself, so that they can be counted.
  """

  poll_seconds = 30.0
  stops = False
  batch = 1000  # Which clusters commonly take in one array.

  def __init__(
    self,
    program: Sequence[str],
    *,
    folder: pathlib.Path,
    flags: Sequence[str] = (),
    parallel: int = 0,
  ):
    """Prepares to submit.

    Args:
      program: the words that start `overlap` on a node.
      folder: for scripts; the nodes see it too.
      flags: flags of sbatch.
      parallel: how many of one array run at a time; 0: all.
    """
    self._program, self._folder = list(program), folder
    self._flags, self._parallel = list(flags), parallel
    self._silent = programs.Patience()

  def places(self, running: Sequence[Handle]) -> list[Handle]:
    del running  # The cluster sees to them.
    return [{} for _ in range(self.batch)]

  def start(self, runs: Sequence[Run]) -> None:
    script = self._folder / f'{runs[0].handle["token"]}.sh'
    files.write_text(script, self._script(runs))
    # JOB or JOB;CLUSTER.
    job = programs.ask(self._sbatch(runs, script)).strip().partition(';')[0]
    if not job.isdigit():
      raise errors.DataError(f'sbatch must print a job number, got {job!r}.')
    for run in runs:
      run.handle['job'] = job

  def poll(self, runs: Sequence[Run]) -> list[Outcome | None]:
    states = self._states(runs)
    if states is None:
      # What has ended has said so itself.
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
    """The batch script; every word in it is quoted."""
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
    # Where there is no accounting, its own word has to do.
    return of_status(status, run.log) if unknown else None

  def _states(self, runs: Sequence[Run]) -> dict[str, tuple[str, str]] | None:
    """Element -> state and exit code, of what Slurm knows; None: no answer.

    Raises:
      DataError: neither sacct nor squeue has answered for long.
    """
    for run in runs:
      if not run.handle.get('job'):
        run.handle['job'] = _find(_name(run))
    jobs = ','.join(sorted({r.handle['job'] for r in runs if r.handle['job']}))
    states: dict[str, tuple[str, str]] = {}
    answered, fault = not jobs, None
    # The first knows of what is not in the accounts yet.
    for words in (
      ['squeue', '-h', '--array', '-t', 'all', '-o', '%i|%T|', '-j', jobs],
      ['sacct', '-X', '-n', '-P', '-o', 'JobID,State,ExitCode', '-j', jobs],
    ) * bool(jobs):
      try:
        states |= _parse(programs.ask(words))
        answered = True
      except errors.DataError as e:
        # So squeue says that it has forgotten one.
        answered |= 'Invalid job id' in str(e)
        fault = e
    if self._silent.lost('queue', again=not answered) and fault:
      raise fault
    return states if answered else None


def make(options: Options) -> Slurm:
  """The cluster, with the launcher's flags."""
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
  """Slurm's STATUS:SIGNAL as Python has it."""
  status, _, signal = code.partition(':')
  number = int(signal) if signal.isdigit() else 0
  return -number if number else int(status) if status.isdigit() else 1


def _parse(said: str) -> dict[str, tuple[str, str]]:
  found = (line.split('|') for line in said.splitlines() if line.count('|') > 1)
  # 'CANCELLED by 1000'.
  return {
    element: (state.split(' ')[0], code) for element, state, code, *_ in found
  }


def _find(name: str) -> str:
  """The number of a job that was submitted when a launcher was killed."""
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

"""Commands of the launcher: run, list, show and stop a sweep."""

import shlex
import shutil
import sys

from overlap.core import lookup, wording
from overlap.launch import driver, table
from overlap.launch import ledger as ledger_lib
from overlap.launch.executor import DONE, Executor, Run
from overlap.launch.ledger import Ledger, Record
from overlap.launch.options import Options

EXECUTORS = {
  'local': 'overlap.launch.local:make_pool',
  'tpu_vm': 'overlap.launch.tpu_vm:make_vms',
  'slurm': 'overlap.launch.slurm:make_cluster',
  'skypilot': 'overlap.launch.skypilot:make_jobs',
}
WAYS = ('run', 'list', 'dry_run', 'stop')


def run_launcher(options: Options, way: str = 'run') -> int:
  """Executes a command of the launcher and returns the exit status.

  Args:
    options: flags of the launcher.
    way: one of `WAYS`.

  Raises:
    UsageError: a flag, the sweep or the config is invalid.
    DataError: units can't be started.
  """
  lookup.check_choice('way', way, WAYS)
  make = lookup.lookup('executor', options.executor, EXECUTORS)
  sweep = options.make_sweep()
  names = [unit.name for unit in sweep.units]
  for name in options.again:
    lookup.check_choice('unit for --again', name, names)
  executor = make(options)
  ledger = Ledger(options.state_folder, options.executor)
  if way == 'dry_run':
    return _dry_run(options, executor, ledger.read(sweep.units))
  if way == 'list':
    return _list(executor, ledger.read(sweep.units))
  with ledger.held():
    # An attempt may have ended after another launcher last polled it.
    records = ledger.read(sweep.units, options.again)
    work = driver.Driver(
      records, ledger, executor, retries=options.retries, show=table.Live()
    )
    if way == 'stop':
      print(f'stopped {wording.counted(work.stop(), "unit")}')
      return 0
    done = work.run()
  if done and sweep.compare:
    print(f'compare them: {shlex.join(("overlap", *sweep.compare))}')
  return 0 if done else _tell_faults(records)


def _dry_run(
  options: Options, executor: Executor, records: list[Record]
) -> int:
  todo = [record for record in records if record.state != ledger_lib.DONE]
  runs = [
    Run(record.unit, record.folder, len(record.attempts) + 1, {'index': i})
    for i, record in enumerate(todo)
  ]
  print('\n'.join(executor.describe(runs)))
  done = len(records) - len(todo)
  every = wording.counted(len(records), 'unit')
  print(f'# {len(todo)} of {every} to run, {done} done; '
        f'their states: {options.state_folder}')  # fmt: skip
  return 0


def _list(executor: Executor, records: list[Record]) -> int:
  running = [r for r in records if r.state == ledger_lib.RUNNING]
  outcomes = executor.poll([record.run for record in running])
  for record, outcome in zip(running, outcomes, strict=True):
    if outcome:  # Shown as the next launcher will record it; not written here.
      done = outcome.kind == DONE
      record.state = ledger_lib.DONE if done else ledger_lib.WAITING
      record.last.update(
        ended=record.last['started'], outcome=outcome.kind, note=outcome.note
      )
  width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 300
  print('\n'.join(table.rows(records, executor, width=width)))
  return 0


def _tell_faults(records: list[Record]) -> int:
  failed = [r for r in records if r.state == ledger_lib.FAILED]
  blocked = sum(r.state == ledger_lib.BLOCKED for r in records)
  faults = [f'{r.unit.name} ({_fault(r)}; {r.run.log})' for r in failed[:5]] + [
    '...'
  ] * (len(failed) > 5)
  also = f'; {blocked} that need them have not begun' if blocked else ''
  print(
    f'sweep: {len(failed)} of {wording.counted(len(records), "unit")} failed: '
    f'{"; ".join(faults)}{also}. The same command tries them again.',
    file=sys.stderr,
  )
  return 1


def _fault(record: Record) -> str:
  last = record.last
  said = f'{last["outcome"]}, exit status {last["exit_status"]}'
  return f'{said}: {last["note"].rstrip(".")}' if last['note'] else said

#!/usr/bin/env python3
r"""Runs a sweep: many `overlap` commands, several at a time, each to its end.

  launch/sweep.py --config=configs/quickstart.py \
    --sweep=configs/sweeps/dropout.py --workdir=W [-- further flags of overlap]

Called again it goes on: a unit that is done is not run again, one that failed
is. Units run in the project's folder. Their states and logs are in W/sweep.

Exit status: 0 when all units are done, 1 when one failed (the others are run
all the same), 2 for a fault in the flags, the sweep or the config.
"""

import pathlib
import shlex
import signal
import sys
from collections.abc import Sequence

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

try:
  from absl import flags

  from overlap.core import errors
  from overlap.launch import run
  from overlap.launch.options import Options
except ModuleNotFoundError as error:
  print(
    f'sweep: {error.name} must be installed in the environment of '
    f'{sys.executable}, and is not: take {ROOT}/.venv/bin/python, which '
    'launch/quickstart.sh makes.',
    file=sys.stderr,
  )
  raise SystemExit(1) from None

_STRINGS = {
  'config': ('', 'the config, FILE.py or FILE.py:ARGUMENT'),
  'sweep': ('', 'the sweep, FILE.py or FILE.py:ARGUMENT'),
  'workdir': ('', 'where the units work, local or gs://'),
  'executor': ('local', f'where they run: {", ".join(run.EXECUTORS)}'),
  'devices': ('auto', 'local: what units share out: cpu, cuda:0,1,..., '
              'tpu:0,1,..., or auto for what is there'),
  'state': ('', 'a local folder for states and logs; WORKDIR/sweep if empty, '
            'or one in workdir/sweeps where WORKDIR is not local'),
  'program': ('', 'the words that start overlap; if empty, this Python for '
              'local, .venv/bin/overlap of the project elsewhere'),
}  # fmt: skip
_LISTS = {
  'stages': ('train,predict', 'the stages of a unit that is a model'),
  'again': ('', 'units to run anew although they are done'),
  'tpus': ('', 'tpu_vm: names of VMs, a unit on each at a time; their zone and '
           'project are taken from TPU_ZONE and TPU_PROJECT'),
}  # fmt: skip
_MULTIPLE = {
  'sbatch': 'slurm: a flag of sbatch, as in --sbatch=--gres=gpu:1; repeatable',
  'resources': 'skypilot: KEY=VALUE of the resources, as in '
  '--resources=accelerators=H100:1; repeatable',
}
_INTEGERS = {
  'parallel': (0, 'units at a time; 0: local, one a device; slurm and '
               'skypilot, all'),
  'retries': (3, 'how often more a unit is tried that was preempted'),
}  # fmt: skip
_WAYS = {
  'list': 'show the units and their states, and run nothing',
  'dry_run': 'print the commands, and run nothing',
  'stop': 'end the units that an earlier call has left running',
}


def define() -> flags.FlagValues:
  """The launcher's flags."""
  values = flags.FlagValues()
  for name, (default, text) in _STRINGS.items():
    flags.DEFINE_string(name, default, text, flag_values=values)
  for name, (default, text) in _LISTS.items():
    flags.DEFINE_list(name, default, text, flag_values=values)
  for name, text in _MULTIPLE.items():
    flags.DEFINE_multi_string(name, [], text, flag_values=values)
  for name, (number, text) in _INTEGERS.items():
    flags.DEFINE_integer(name, number, text, flag_values=values)
  for name, text in _WAYS.items():
    flags.DEFINE_bool(name, False, text, flag_values=values)
  return values


def usage(values: flags.FlagValues) -> str:
  """The docstring and one line a flag."""
  return '\n'.join(
    [(__doc__ or '').strip(), '']
    + [f'  --{f}: {values[f].help}' for f in values]
  )


def main(argv: Sequence[str]) -> int:
  """Runs, lists, shows or stops a sweep; returns the exit status."""
  own, further = _split(argv)
  values = define()
  if any(word in ('--help', '-h', '-help') for word in own):
    print(usage(values))
    return 0
  try:
    try:
      rest = values(['sweep', *own])[1:]
    except flags.Error as e:
      raise errors.UsageError(f'{str(e).rstrip(".")}. See --help.') from e
    if rest:
      raise errors.UsageError(
        f'sweep takes flags only, got {rest[0]!r}; those of overlap come '
        'after --, by itself.'
      )
    ways = [way for way in _WAYS if values[way].value] or ['run']
    if len(ways) > 1:
      raise errors.UsageError(
        f'--{ways[0]} and --{ways[1]} exclude each other.'
      )
    return run.run_launcher(_options(values, further), ways[0])
  except errors.OverlapError as e:
    print(f'sweep: {e}', file=sys.stderr)
    return e.exit_status
  except OSError as e:
    print(f'sweep: {e.filename or "a file"}: {e.strerror}.', file=sys.stderr)
    return 1
  except KeyboardInterrupt:
    print('sweep: interrupted; the same command goes on.', file=sys.stderr)
    return 130


def _split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
  """The launcher's own words, and those after --."""
  words = [*argv, '--']
  at = words.index('--')
  return words[:at], words[at + 1 : -1]


def _options(values: flags.FlagValues, further: Sequence[str]) -> Options:
  given = {
    name: values[name].value
    for name in (*_STRINGS, *_INTEGERS)
    if name != 'program'
  }
  several = {name: tuple(values[name].value) for name in (*_LISTS, *_MULTIPLE)}
  return Options(
    **given,
    **several,
    program=tuple(shlex.split(values['program'].value)),
    further=tuple(further),
  )


if __name__ == '__main__':
  # Told to go, it sees to what it has started, as on Ctrl-C.
  signal.signal(signal.SIGTERM, signal.default_int_handler)
  raise SystemExit(main(sys.argv[1:]))

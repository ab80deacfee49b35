"""Finds the command, parses its flags, runs it, reports what went wrong."""

import errno
import importlib
import sys
from collections.abc import Sequence
from types import ModuleType

from absl import flags

import overlap
from overlap.cli import interrupts, streams
from overlap.config import schema
from overlap.core import errors, files, log, lookup, malloc
from overlap.distributed import peers

# In the order in which they are listed. Each module has a docstring whose
# first line is the summary, `define(flag_values, argv)` and `run(values)`.
COMMANDS = {
  'study': 'overlap.cli.study',
  'train': 'overlap.cli.train',
  'predict': 'overlap.cli.predict',
  'ingest': 'overlap.cli.ingest',
  'analyse': 'overlap.cli.analyse',
  'report': 'overlap.cli.report',
  'models': 'overlap.cli.models',
  'verify': 'overlap.cli.verify',
}
# What the machine can do to us; anything else is our own mistake.
_MACHINE_FAULTS = (
  errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS,
  errno.EIO, errno.EBUSY, errno.EFBIG, errno.EMFILE, errno.ENFILE,
  errno.ESTALE, errno.ETIMEDOUT, errno.ENAMETOOLONG,
)  # fmt: skip

_INTERRUPTED = 'interrupted; the same command goes on from here.'


def main(argv: Sequence[str] | None = None) -> int:
  """Runs one command; returns the exit status.

  Args:
    argv: the words after the program's name; None for `sys.argv`'s.
  """
  argv = list(sys.argv[1:] if argv is None else argv)
  malloc.share_one_heap()
  try:
    if not argv or argv[0] in ('help', '--help', '-h', '-help'):
      print(_overview())
      return 0
    if argv[0] in ('--version', '-version'):
      print(f'overlap {overlap.__version__}')
      return 0
    module = _command(argv[0])
    if any(word in ('--help', '-h', '-help') for word in argv[1:]):
      print(_usage(argv[0], module))
      return 0
    values = _parse(argv[0], module, argv)
    log.start_logging()
    status = module.run(values) or 0
    peers.leave()
    return status
  except errors.OverlapError as error:
    return _fail(str(error), error.exit_status)
  except OSError as error:
    if fault := streams.fault():
      return streams.report(fault)
    if error.errno not in _MACHINE_FAULTS:
      peers.explain(error)
      raise
    where = error.filename or 'a file'
    return _fail(
      f'{where}: {error.strerror}: {files.ADVICE}; the same command then goes '
      'on.',
      1,
    )
  except MemoryError as error:
    reason = f': {error}' if str(error) else ''
    return _fail(f'memory must suffice for this, and does not{reason}.', 1)
  except KeyboardInterrupt:
    return _fail(_INTERRUPTED, 130)
  except Exception as error:
    if interrupts.seen():
      return _fail(_INTERRUPTED, 130)
    peers.explain(error)
    raise


def _fail(text: str, status: int) -> int:
  """Says what went wrong; where there are other processes, ends them too."""
  streams.say(f'overlap: {text}')
  peers.fail(text, status)
  return status


def parse(argv: Sequence[str]) -> flags.FlagValues:
  """The flags of one command, as `main` would take them; runs nothing.

  Raises:
    UsageError: no such command or flag, or a value that can't be.
  """
  return _parse(argv[0], _command(argv[0]), list(argv))


def _command(name: str) -> ModuleType:
  return importlib.import_module(
    COMMANDS[lookup.check_choice('command', name, COMMANDS)]
  )


def _parse(name: str, module: ModuleType, argv: list[str]) -> flags.FlagValues:
  """Parses a command's flags; whatever is wrong with them is a UsageError."""
  values = flags.FlagValues()
  program = [f'overlap {name}', *argv[1:]]
  module.define(values, program)
  try:
    rest = values(program)[1:]
  except errors.OverlapError:
    raise
  # Of absl, which raises what Python happens to.
  except Exception as error:
    text = schema.one_line(error)
    raise errors.UsageError(
      f'{text.rstrip(".")}. See `overlap {name} --help`.'
    ) from error
  if rest:
    raise errors.UsageError(
      f'overlap {name} takes flags only, got {rest[0]!r}: see '
      f'`overlap {name} --help`.'
    )
  return values


def _overview() -> str:
  rows = [
    f'  {name:9}{_summary(importlib.import_module(path))}'
    for name, path in COMMANDS.items()
  ]
  return '\n'.join(
    [
      'overlap: do differently trained image models learn different things?',
      '',
      'Usage: overlap COMMAND [flags]',
      '',
      *rows,
      '',
      'Each command lists its flags: overlap COMMAND --help',
      'The version of this program: overlap --version',
    ]
  )


def _usage(name: str, module: ModuleType) -> str:
  values = flags.FlagValues()
  module.define(values, [f'overlap {name}'])
  rows = []
  for flag in sorted(values):
    default = values[flag].default
    given = f' (default: {default})' if default not in (None, '', False) else ''
    rows.append(f'  --{flag}: {values[flag].help}{given}')
  text = (module.__doc__ or '').strip()
  return '\n'.join([f'overlap {name}: {text}', '', *rows])


def _summary(module: ModuleType) -> str:
  return (module.__doc__ or '').strip().split('\n')[0]

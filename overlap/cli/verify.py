"""Re-checks every stored array and every table; one line a fault."""

from absl import flags

from overlap.cli import common


def define(values: flags.FlagValues, argv: list[str]) -> None:
  """Defines the command's flags."""
  del argv
  common.define_workdir(values)


def run(values: flags.FlagValues) -> int:
  """Prints the faults; 1 where there are any."""
  from overlap import verify

  path = common.workdir(values)
  count = 0
  for fault in verify.faults(path):
    print(fault)
    count += 1
  if not count:
    print(f'{path}: every stored array and every table is as it should be')
  return int(count > 0)

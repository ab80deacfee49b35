"""Re-checks every stored array and every table; one line a fault.

With --anchors, recomputes published figures and prints what was expected and
what was got; with --workdir too, does both. Figures whose predictions are
absent are skipped and counted; a folder that gives none at all is a fault.
"""

from absl import flags

from overlap.cli import common, flag_kinds

_ANCHORS = ('--anchors', '-anchors')


def define(values: flags.FlagValues, argv: list[str]) -> None:
  """Defines the command's flags."""
  common.define_workdir(values)
  flag_kinds.define_path(
    'anchors', None,
    'recompute published figures: those of the paper from its tables and, '
    'where a FOLDER is named, those of CIFAR-10.1 from its predictions there',
    flag_values=values,
  )  # fmt: skip
  # The flag may stand alone, which a flag with a value otherwise may not.
  for place, (word, after) in enumerate(zip(argv, [*argv[1:], '--'])):
    if word in _ANCHORS and after.startswith('-'):
      argv[place] = '--anchors='


def run(values: flags.FlagValues) -> int:
  """Prints the faults; 1 where there are any."""
  anchors = values['anchors'].value
  holds = True
  if anchors is not None:
    from overlap.stages import published_results

    text, holds = published_results.report(anchors)
    print(text)
    if not values['workdir'].value:
      return int(not holds)
  from overlap.stages import verify

  path = common.workdir(values)
  count = 0
  for fault in verify.faults(path):
    print(fault)
    count += 1
  if not count:
    print(f'{path}: every stored array and every table is as it should be')
  return int(count > 0 or not holds)

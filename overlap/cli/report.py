"""Draws the figures and writes the report page from the tables."""

from absl import flags

from overlap.cli import common


def define(values: flags.FlagValues, argv: list[str]) -> None:
  """Defines the command's flags."""
  common.define_study(values, argv)
  flags.DEFINE_list(
    'only', [], 'draw these figures alone (fig01,...), no page',
    flag_values=values,
  )  # fmt: skip


def run(values: flags.FlagValues) -> None:
  """Draws what is asked for; prints where it is."""
  from overlap.study import results, thumbnails

  path = common.workdir(values)
  if values['config'].value is not None:
    study = common.open_study(values)
    results.require_tables(path)
    study.begin()
    if not values['only'].value:
      thumbnails.make(study)
  if values['only'].value:
    for file in results.draw(path, values['only'].value):
      print(f'figure: {file}')
  else:
    print(f'report: {results.write_report(path)}')

"""Draws the figures and writes the report page from the tables."""

import contextlib

from absl import flags

from overlap.cli import common, flag_kinds


def define(values: flags.FlagValues, argv: list[str]) -> None:
  """Defines the command's flags."""
  common.define_study(values, argv)
  flag_kinds.define_list(
    'only', [], 'draw these figures alone (fig01,...), no page',
    flag_values=values,
  )  # fmt: skip


def run(values: flags.FlagValues) -> None:
  """Draws what is asked for; prints where it is."""
  from overlap.stages import report, thumbnails
  from overlap.workdir import layout

  only = values['only'].value
  with contextlib.ExitStack() as stack:
    if values['config'].value is not None:
      opened = common.open_study(values, ['report'])
      study = stack.enter_context(opened)
      report.require_tables(study.path)
      study.begin()
      if not only:
        thumbnails.write_thumbnails(study)
    else:
      names = [layout.TABLES]
      stack.enter_context(common.claim(values, common.workdir(values), names))
    path = common.workdir(values)
    report.warn_if_stale(path)
    if not only:
      print(f'report: {report.write_report(path, again=True)}')
    for file in report.draw(path, only) if only else ():
      print(f'figure: {file}')

"""Runs a whole study: train, predict, analyse, report.

What is done and unchanged is skipped, so the same command goes on after an
interruption.
"""

from absl import flags

from overlap import lookup
from overlap.cli import common

STAGES = ('train', 'predict', 'analyse', 'report')


def define(values: flags.FlagValues, argv: list[str]) -> None:
  """Defines the command's flags."""
  common.define_study(values, argv)
  flags.DEFINE_list(
    'stages', ','.join(STAGES), 'the stages to run, in their own order',
    flag_values=values,
  )  # fmt: skip


def run(values: flags.FlagValues) -> None:
  """Runs the stages and prints where the report is."""
  stages = [
    lookup.check('stage', stage, STAGES) for stage in values['stages'].value
  ]
  study = common.open_study(values)
  from overlap.study import run as study_run

  page = study_run.run(study, stages)
  if page is not None:
    print(f'report: {page}')

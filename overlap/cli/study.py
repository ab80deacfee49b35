"""Runs a whole study: train, predict, analyse, report.

What is done and unchanged is skipped, so the same command goes on after an
interruption.
"""

from typing import Any

from absl import flags

from overlap.cli import common, flag_kinds
from overlap.core import errors, lookup

STAGES = ('train', 'predict', 'analyse', 'report')
_OF_ONE_MODEL = STAGES[:2]


def define(values: flags.FlagValues, argv: list[str]) -> None:
  """Defines the command's flags."""
  common.define_study(values, argv)
  common.define_model(values)
  flag_kinds.define_list(
    'stages', ','.join(STAGES), 'the stages to run, in their own order',
    flag_values=values,
  )  # fmt: skip
  flags.DEFINE_boolean(
    'dry_run', False,
    'print what would be done and what it costs; make and write nothing',
    flag_values=values,
  )  # fmt: skip


def run(values: flags.FlagValues) -> None:
  """Runs the stages and prints where the report is."""
  stages = [
    lookup.check_choice('stage', stage, STAGES)
    for stage in values['stages'].value
  ]
  if not stages:
    raise errors.UsageError(
      f'--stages must name a stage, got none. Choices: {", ".join(STAGES)}.'
    )
  model = values['model'].value
  if model and not set(stages) <= set(_OF_ONE_MODEL):
    raise errors.UsageError(
      '--model goes with the stages that are of one model, '
      f'--stages={",".join(_OF_ONE_MODEL)}, got {",".join(stages)}.'
    )
  if values['dry_run'].value:
    _print_plan(common.preview_study(values), stages, model)
    return
  with common.open_study(values, stages, model) as study:
    from overlap.stages import run as study_run

    page = study_run.run_stages(study, stages, model)
  if page is not None:
    print(f'report: {page}')


def _print_plan(study: Any, stages: list[str], model: str | None) -> None:
  from overlap.stages import plan, plan_text

  print(
    plan_text.text(
      plan.make_plan(study, stages, model),
      name=study.config['name'],
      workdir=str(study.path),
    )
  )

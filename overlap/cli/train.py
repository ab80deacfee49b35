"""Trains or loads the models of a study."""

from absl import flags

from overlap.cli import common


def define(values: flags.FlagValues, argv: list[str]) -> None:
  """Defines the command's flags."""
  common.define_study(values, argv)
  common.define_model(values)


def run(values: flags.FlagValues) -> None:
  """Runs the stage for all models, or for the one that --model names."""
  model = values['model'].value
  with common.open_study(values, ['train'], model) as study:
    from overlap.stages import run as study_run

    study_run.run_stages(study, ['train'], model)

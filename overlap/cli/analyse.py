"""Computes the tables from the stored predictions.

With --config, those of the study; without, those of whatever the store
holds: --dataset, --split and --base say of what.
"""

from absl import flags

from overlap.cli import common


def define(values: flags.FlagValues, argv: list[str]) -> None:
  """Defines the command's flags."""
  common.define_study(values, argv)
  for name, text in (
    ('dataset', 'without --config: the data set in the store'),
    ('split', 'without --config: its split'),
    ('base', 'without --config: the model that others are compared with'),
  ):
    flags.DEFINE_string(name, None, text, flag_values=values)


def run(values: flags.FlagValues) -> None:
  """Computes and writes the tables."""
  if values['config'].value is not None:
    study = common.open_study(values)
    from overlap.study import run as study_run

    study_run.run(study, ['analyse'])
    return
  from overlap.study import results

  path = common.workdir(values)
  request = results.store_request(
    path, values['dataset'].value, values['split'].value, values['base'].value
  )
  results.analyse(path, request)

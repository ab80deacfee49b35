"""Two models and a probe on both, on digits: a study of some seconds."""

import ml_collections

from configs import quickstart
from overlap.config import schema


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """The smoke form of the quickstart with all but two models left out."""
  del arg
  config = quickstart.get_config('smoke')
  config.name = 'tiny'
  config.data.dataset = 'mnist_5k'
  config.data.label = ''
  config.data.fallback = ''
  config.data.splits.train = 'train[:600]'
  config.data.splits.heldout = 'train[600:700]'
  config.data.splits.test = 'test[:200]'
  config.data.splits.probe_train = 'train[700:900]'
  config.data.splits.probe_heldout = 'train[900:]'
  config.transfer.dataset = ''
  config.report.thumbnails = 8
  config.analyses.specialisation.groups = {}
  config.analyses.tables = (
    'models', 'pairs', 'categories', 'correlations', 'theta', 'contested',
  )  # fmt: skip
  config.report.figures = ('fig01', 'table1')
  config.analyses.probing.strengths = 2
  config.analyses.probing.weakest = 0.1
  for name in set(config.models) - {'base', 'dropout'}:
    del config.models[name]
  config.models.both = schema.probe('base', 'dropout')
  for field, value in (('strengths', 2), ('weakest', 0.1), ('strongest', 1.0)):
    config.models.both[field] = value
  for name in ('base', 'dropout'):
    settings = config.models[name]
    settings.architecture.options.width = 8
    settings.train.total_steps = 9
    settings.train.checkpoint_every_steps = 3
    settings.train.log_every_steps = 3
  return config

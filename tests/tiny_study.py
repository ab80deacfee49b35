"""A study to try machinery with: three tiny models and a probe.

One model learns from another, the probe from features of one.
"""

import ml_collections

from configs import quickstart
from overlap.config import schema


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """The study; there is one form of it alone."""
  del arg
  config = quickstart.get_config('smoke')
  base, student = config.models.vit, config.models.distilled
  config.models = ml_collections.ConfigDict()
  config.models.base = base
  config.models.student = student
  config.models.student.distill.teacher = 'reinit'
  config.models.reinit = ml_collections.ConfigDict(base.to_dict())
  config.models.reinit.seed = 1
  for settings in config.models.values():
    settings.architecture.options.hidden_size = 16
    settings.train.total_steps = 40
    settings.train.checkpoint_every_steps = 10
    settings.train.log_every_steps = 10
  config.models.probe = schema.probe('base')
  config.models.probe.strengths = 2
  config.models.probe.weakest = 1e-2
  config.models.probe.strongest = 1e-1
  config.models.probe.max_iterations = 100
  config.transfer.dataset = ''
  config.transfer.optional = False
  config.analyses.tables = ('models', 'pairs', 'theta')
  config.analyses.window = 0
  config.report.figures = ('fig01',)
  return config

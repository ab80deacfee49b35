r"""CIFAR-10: the quickstart's study on colour images.

  overlap study --config=configs/cifar10.py --workdir=workdir/cifar10

The images come from TFDS (`tfds:cifar10`, once prepared) or from a tree
`{train,test}/CLASS/*.jpg` where `--config.data.data_dir` names one.
`configs/cifar10.py:smoke` is the same with everything shrunk.

It is meant for an accelerator and has not been run whole yet; its lengths
are a guess, to be shaped on the held-out split.
"""

import importlib.util
import pathlib

import ml_collections


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """The study; `arg` is '' or 'smoke'."""
  config = _quickstart().get_config(arg)
  config.name = f'cifar10:{arg}' if arg else 'cifar10'
  config.data.dataset = 'cifar10'
  config.data.label = 'C10'
  config.data.fallback = ''
  config.analyses.specialisation.groups = {
    'vehicles': ('0-1', '8-9'),
    'animals': ('2-7',),
  }
  if arg == 'smoke':
    return config
  for settings in config.models.values():
    options = settings.architecture.options
    if settings.architecture.name == 'resnet':
      options.update(stage_sizes=(2, 2, 2), width=32, stem_stride=1)
    if settings.architecture.name == 'vit':
      options.update(patch_size=4, hidden_size=192, depth=9, num_heads=3)
    if settings.train.total_steps:
      settings.train.total_steps = 20_000
      settings.train.warmup_steps = 1_000
      settings.train.augment = 'crop(4)|flip'
    if settings.method == 'simclr':
      settings.simclr.total_steps = 40_000
      settings.simclr.batch_size = 512
  return config


def _quickstart():
  path = pathlib.Path(__file__).with_name('quickstart.py')
  spec = importlib.util.spec_from_file_location('quickstart', path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module

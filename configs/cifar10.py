r"""CIFAR-10: the quickstart's study on colour images, on two CPU cores.

  overlap study --config=configs/cifar10.py --workdir=workdir/cifar10

The images come from TFDS (`tfds:cifar10`, once prepared) or from a tree
`{train,test}/CLASS/*.jpg` where `--config.data.data_dir` names one.
`configs/cifar10.py:smoke` is the same with everything shrunk.

Training lengths were chosen on the held-out split, so that models come within
5 points of the base, which got 68.4 % there (66.9 % of the test images). The
ViT, the CLIP and the lower learning rate do not: 52.9, 54.5 and 62.6 %.
"""

import pathlib

import ml_collections

from overlap.core import python_file

_TEMPLATES = ('a photo of a {}.', 'a small photo of a {}.', 'there is a {}.')
_ATTRIBUTES = {
  'an animal': ('bird', 'cat', 'deer', 'dog', 'frog', 'horse'),
  'a vehicle': ('airplane', 'automobile', 'ship', 'truck'),
  'with four legs': ('cat', 'deer', 'dog', 'frog', 'horse'),
  'on wheels': ('automobile', 'truck'),
  'in the air': ('airplane', 'bird'),
}


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """The study; `arg` is '' or 'smoke'."""
  path = pathlib.Path(__file__).with_name('quickstart.py')
  config = python_file.load(path).get_config(arg or 'all')
  config.name = f'cifar10:{arg}' if arg else 'cifar10'
  config.data.dataset = 'cifar10'
  config.data.label = 'C10'
  config.data.fallback = ''
  config.analyses.window = 0.05
  config.analyses.specialisation.groups = {
    'vehicles': ('0-1', '8-9'),
    'animals': ('2-7',),
  }
  for settings in config.models.values():
    if settings.source == 'train':
      _adapt(settings)
  if arg == 'smoke':
    return config
  models = config.models
  models.vit.train.total_steps = 2400
  models.mobilenet_v2.train.total_steps = 1800
  models.mpl.train.total_steps = 700
  models.simclr.simclr.total_steps = 400
  models.simclr.train.total_steps = 1200
  # A student that comes near the base; the ViT does not.
  models.distilled = models.base.copy_and_resolve_references()
  models.distilled.method = 'distill'
  models.distilled.distill.teacher = 'base'
  clip = models.clip_zero_shot.image_text
  clip.attributes, clip.templates = _ATTRIBUTES, _TEMPLATES
  clip.augment = 'flip'
  # As long as the base's fine-tuning lets it stay outside the window.
  models.bit_pretrained.pretrain.dataset = 'fashion_mnist'
  models.bit_pretrained.train.total_steps = 2000
  # Milder than the quickstart's, which fall behind as far.
  models.dropout.architecture.options.dropout_rate = 0.3
  models.learning_rate.train.learning_rate = 0.05
  return config


def _adapt(settings: ml_collections.ConfigDict) -> None:
  """What colour images need more of, or otherwise."""
  family = settings.architecture.name
  if family in ('vit', 'clip'):
    settings.architecture.options.patch_size = 8
    settings.train.augment = 'flip'
  if family == 'efficientnet_lite':
    settings.input.size = 48

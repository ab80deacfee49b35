r"""ResNet-50 on ImageNet, with which the paper compares all its models.

  tfds build imagenet2012 --file_format=array_record --data_dir=DIR
  overlap train --config=configs/imagenet/base.py \
    --config.data.data_dir=DIR --workdir=workdir/imagenet

The first line needs TensorFlow and the two archives of image-net.org in
DIR/downloads/manual; the second does not, and is enough where DIR has
imagenet2012 already, be it as TFRecord: examples have the same ids. The paper's
base is right on 76.5 %; this recipe has not been run whole here.

Batches are spread over all devices: 1,024 photographs need about 100 GB of
accelerator memory in float32 and half of that with
`--config.models.NAME.dtype=bfloat16`; `train.accumulate_steps` makes do with
less, and `train.batch_size` can be any: the learning rate follows it.
"""

from collections.abc import Mapping
from typing import Any

import ml_collections

from overlap.catalog import models, names
from overlap.config import schema

# The training of ResNets of He et al. 2016, in large batches (Goyal et al.
# 2017). What a row of the paper's tables sets goes before it.
RECIPE = {
  'train.total_epochs': 90.0,  # Goyal et al., Sec. 5.1.
  'train.batch_size': 1024,
  'train.learning_rate': 0.1,  # For 256, and in proportion (Sec. 2.1).
  'train.learning_rate_batch': 256,
  'train.warmup_epochs': 5.0,  # Goyal et al., Sec. 2.2.
  # Instead of the steps at 30, 60 and 80 epochs: as accurate or more, and
  # nothing to choose (He et al. 2019, 'Bag of Tricks', Sec. 5.1).
  'train.schedule': 'cosine',
  # He et al. 2016. Of kernels alone, as everywhere here: Goyal et al., Sec.
  # 5.1, leave out normalisation, He et al. 2019, Sec. 3.1, biases too.
  'train.weight_decay': 1e-4,
  'train.momentum': 0.9,
  'train.nesterov': True,  # Goyal et al., Sec. 5.1.
  # RandAugment, with the magnitude that its authors chose for ResNet-50, 9
  # (Cubuk et al. 2020, Sec. 4.4), is named in the tables. It acts with the
  # crop before it on the photographs themselves.
  'train.augment_on_host': 3,
  # The centre of the photograph at 256 pixels (He et al. 2016).
  'input.resize': 'shorter_side',
  'input.crop': 0.875,
  'input.interpolation': 'bilinear',
  'input.channels': 3,
  # Of ImageNet's training images (torchvision).
  'input.mean': (0.485, 0.456, 0.406),
  'input.std': (0.229, 0.224, 0.225),
}


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """A study of the base alone."""
  del arg
  config = study()
  config.name = 'imagenet'
  config.models[config.base] = model(models.BASE_NAME)
  return config


def model(
  name: str, recipe: Mapping[str, Any] | None = None
) -> ml_collections.ConfigDict:
  """A model of the paper, to be trained.

  Args:
    name: as in the paper's tables.
    recipe: fields in which its training differs from the base's, but for
      those that the tables set.
  """
  config = schema.paper_model(name, RECIPE | dict(recipe or {}))
  # Public weights, of which some have others of the same architecture.
  config.init.checkpoint = ''
  config.init.pretrained_on = ''
  config.train.checkpoint_every_steps = 1000
  return config


def study() -> ml_collections.ConfigDict:
  """ImageNet's data and what is measured, the models still to come."""
  config = schema.study()
  config.base = names.key(models.BASE_NAME)
  config.data.dataset = 'tfds:imagenet2012'
  config.data.label = 'IN'
  # For what reads square images; the models here read the photographs.
  config.data.image_size = 224
  config.data.splits.train = 'train[1%:]'
  config.data.splits.heldout = 'train[:1%]'
  config.data.splits.test = 'validation'
  # 74.1 to 78.9 %: all of table 1.
  config.analyses.window = 0.024
  return config

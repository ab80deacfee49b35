"""Image classifiers: one Flax module per family, all with the same interface.

Each is called as `(x [B, H, W, C], train=False) -> (logits, features)`, both
float32: logits [B, num_classes] and the pre-logit representation [B, D]. The
classifier is the top-level dense layer `head` in all of them. Padding and
batch normalisation follow the released weights of each family.
"""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from overlap.core import lookup
from overlap.models import options as _options

MODELS = {
  'resnet': 'overlap.models.resnet:ResNet',
  'vit': 'overlap.models.vit:ViT',
  'clip': 'overlap.models.clip:CLIP',
  'align': 'overlap.models.align:ALIGN',
  'mobilenet_v2': 'overlap.models.mobilenet_v2:MobileNetV2',
  'densenet': 'overlap.models.densenet:DenseNet',
  'efficientnet': 'overlap.models.efficientnet:EfficientNet',
  'efficientnet_lite': 'overlap.models.efficientnet_lite:EfficientNetLite',
  'vgg': 'overlap.models.vgg:VGG',
  'senet': 'overlap.models.senet:SENet',
  'sknet': 'overlap.models.sknet:SKNet',
  'bit': 'overlap.models.bit:BiT',
  'inception_v3': 'overlap.models.inception_v3:InceptionV3',
  'hrnet': 'overlap.models.hrnet:HRNet',
  'dpn': 'overlap.models.dpn:DPN',
  'dla': 'overlap.models.dla:DLA',
  'vovnet': 'overlap.models.vovnet:VoVNet',
  'scenic': 'overlap.models.scenic_model:Scenic',
}


def build(
  name: str, *, num_classes: int, dtype: Any = jnp.float32, **options: Any
) -> nn.Module:
  """Builds a module, which is hashable and so can be a static `jit` argument.

  Args:
    name: key of `MODELS`.
    num_classes: outputs of the head.
    dtype: dtype of the computation; parameters and outputs are float32.
    **options: the module's other fields; lists are converted to tuples.

  Raises:
    UsageError: the model or an option is unknown, or a value is invalid.
  """
  module = lookup.lookup('model', name, MODELS)
  return module(
    num_classes=num_classes,
    dtype=dtype,
    **_options.convert_options(name, module, options),
  )

"""EfficientNet-Lite: EfficientNet without squeeze-and-excite, with ReLU6.

Tan and Le, 'EfficientNet: Rethinking Model Scaling for Convolutional Neural
Networks' (ICML 2019), in the Lite form that its authors released in 2020.
Width and depth scale the blocks only: the stem, the last convolution and the
number of blocks in the first and last stage stay as they are in Lite0.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from overlap.models import depthwise
from overlap.models.inverted_residuals import (
  BlockSpec,
  Variant,
  block_specs,
)
from overlap.models.options import require

# The released weights expect (pixel in [0, 255] - IMAGE_MEAN) / IMAGE_STD.
IMAGE_MEAN = 127.0
IMAGE_STD = 128.0

_STEM_FILTERS = 32
_TOP_FILTERS = 1280

# Initialisers of the released networks.
_conv_init = nn.initializers.variance_scaling(2.0, 'fan_out', 'normal')
_head_init = nn.initializers.variance_scaling(1 / 3, 'fan_out', 'uniform')


VARIANTS = {
  0: Variant(width=1.0, depth=1.0, image_size=224, dropout_rate=0.2),
  1: Variant(width=1.0, depth=1.1, image_size=240, dropout_rate=0.2),
  2: Variant(width=1.1, depth=1.2, image_size=260, dropout_rate=0.3),
  3: Variant(width=1.2, depth=1.4, image_size=280, dropout_rate=0.3),
  4: Variant(width=1.4, depth=1.8, image_size=300, dropout_rate=0.3),
}


class ConvNorm(nn.Module):
  """Convolution without bias, with TensorFlow's SAME padding, and batch norm.

  At stride 2 and even sizes, SAME padding has one pixel more at the end than at
  the start, as in training of the released weights.

  Attributes:
    filters: output channels; equal to the input channels if `depthwise`.
    kernel: side of the kernel.
    stride: stride in both directions.
    depthwise: whether each channel is convolved separately.
    dtype: dtype of the computation.
  """

  filters: int
  kernel: int = 1
  stride: int = 1
  depthwise: bool = False
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    return nn.BatchNorm(
      use_running_average=not train,
      momentum=0.99,
      epsilon=1e-3,
      dtype=self.dtype,
      name='norm',
    )(self._convolution()(x))

  def _convolution(self) -> nn.Module:
    if self.depthwise:
      return depthwise.DepthwiseConv(
        self.kernel, self.stride, self.dtype, name='conv'
      )
    common = {
      'use_bias': False,
      'kernel_init': _conv_init,
      'dtype': self.dtype,
      'name': 'conv',
    }
    if self.kernel == self.stride == 1:
      # Equivalent to a convolution, and a quarter faster on CPUs.
      return nn.Dense(self.filters, **common)
    size = (self.kernel, self.kernel)
    return nn.Conv(
      self.filters, size, strides=self.stride, padding='SAME', **common
    )


class Block(nn.Module):
  """Inverted residual: expand, filter each channel, project, add the input.

  Attributes:
    spec: sizes of the block.
    drop_rate: probability of skipping the block for an example in training.
  """

  spec: BlockSpec
  drop_rate: float = 0.0
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    spec, before = self.spec, x
    inner = x.shape[-1] * spec.expansion
    if spec.expansion != 1:
      x = ConvNorm(inner, dtype=self.dtype, name='expand')(x, train=train)
      x = nn.relu6(x)
    x = ConvNorm(
      inner,
      kernel=spec.kernel,
      stride=spec.stride,
      depthwise=True,
      dtype=self.dtype,
      name='depthwise',
    )(x, train=train)
    x = nn.relu6(x)
    x = ConvNorm(spec.filters, dtype=self.dtype, name='project')(x, train=train)
    if x.shape != before.shape:
      return x
    x = nn.Dropout(self.drop_rate, broadcast_dims=(1, 2, 3))(
      x, deterministic=not train
    )
    return x + before


class EfficientNetLite(nn.Module):
  """EfficientNet-Lite, for images of any size and number of channels.

  Attributes:
    num_classes: outputs of the head.
    variant: key of `VARIANTS`, Lite0 to Lite4, with 4.65, 5.42, 6.09, 8.20 and
      13.01 million parameters for 1,000 classes.
    drop_path_rate: probability of skipping the last block in training; rises
      linearly from 0 at the first block.
    dtype: dtype of the convolutions; parameters and outputs are float32.
  """

  num_classes: int
  variant: int = 0
  drop_path_rate: float = 0.2
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(
    self, x: jax.Array, *, train: bool = False
  ) -> tuple[jax.Array, jax.Array]:
    """Classifies images.

    Args:
      x: images [examples, height, width, channels].
      train: whether to use the batch's statistics, dropout and stochastic
        depth; requires the stream 'dropout' and updates 'batch_stats'.

    Returns:
      Logits [examples, classes] and features [examples, 1280], the pooled
      last convolution before dropout, both float32.

    Raises:
      UsageError: the variant is unknown, or `drop_path_rate` is invalid.
    """
    choices = ', '.join(map(str, VARIANTS))
    require(self.variant in VARIANTS, self, 'variant', f'one of {choices}')
    require(0 <= self.drop_path_rate <= 1, self, 'drop_path_rate', 'in [0, 1]')
    scaling = VARIANTS[self.variant]
    x = ConvNorm(_STEM_FILTERS, 3, 2, dtype=self.dtype, name='stem')(
      x.astype(self.dtype), train=train
    )
    x = nn.relu6(x)
    specs = block_specs(scaling.width, scaling.depth)
    for i, spec in enumerate(specs):
      drop_rate = self.drop_path_rate * i / len(specs)
      x = Block(spec, drop_rate, self.dtype, name=f'block{i}')(x, train=train)
    x = ConvNorm(_TOP_FILTERS, dtype=self.dtype, name='top')(x, train=train)
    features = jnp.mean(nn.relu6(x), axis=(1, 2), dtype=jnp.float32)
    x = nn.Dropout(scaling.dropout_rate)(features, deterministic=not train)
    # Always in float32, so that stored features times the stored head equal the
    # stored logits.
    logits = nn.Dense(self.num_classes, kernel_init=_head_init, name='head')(x)
    return logits, features

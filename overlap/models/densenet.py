"""DenseNet-BC: the input of each layer is all earlier outputs of its block.

Huang, Liu, van der Maaten and Weinberger, 'Densely Connected Convolutional
Networks' (CVPR 2017). `block_config` of the known depths at growth rate 32:
121 (6, 12, 24, 16), 169 (6, 12, 32, 32), 201 (6, 12, 48, 32). timm's
'densenetblur121d' has the stem 'deep' and `blur_pool`.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from overlap.core import errors, lookup
from overlap.models import layers, pooling
from overlap.models.options import check_ranges, require

STEMS = (*layers.STEMS, 'deep')


class DeepStem(nn.Module):
  """Three 3×3 convolutions instead of one of 7×7, and max-pooling.

  He et al., 'Bag of Tricks for Image Classification with Convolutional Neural
  Networks' (CVPR 2019).

  Attributes:
    filters: output channels; the first two convolutions have half as many.
    blur_pool: whether to stride in a blur after the max-pooling.
    dtype: dtype of the computation.
  """

  filters: int
  blur_pool: bool = False
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    half = self.filters // 2
    for i, filters in enumerate((half, half, self.filters)):
      stride = 2 if i == 0 else 1
      x = layers.ConvNorm(
        filters, 3, stride, dtype=self.dtype, name=f'conv{i + 1}'
      )(x, train=train)
      x = nn.relu(x)
    strides = (1, 1) if self.blur_pool else (2, 2)
    x = nn.max_pool(x, (3, 3), strides=strides, padding=((1, 1), (1, 1)))
    return pooling.blur_pool(x) if self.blur_pool else x


class Layer(nn.Module):
  """Appends `growth_rate` channels to its input.

  Attributes:
    growth_rate: filters of the 3×3 convolution.
    bottleneck: filters of the 1×1 convolution, as a factor of `growth_rate`.
    dtype: dtype of the computation.
  """

  growth_rate: int
  bottleneck: int = 4
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    y = nn.relu(layers.batch_norm(train, self.dtype, 'norm1')(x))
    filters = self.bottleneck * self.growth_rate
    y = layers.Conv(filters, dtype=self.dtype, name='conv1')(y)
    y = nn.relu(layers.batch_norm(train, self.dtype, 'norm2')(y))
    y = layers.Conv(self.growth_rate, 3, dtype=self.dtype, name='conv2')(y)
    return jnp.concatenate([x, y], axis=-1)


class Transition(nn.Module):
  """Reduces the channels, and averages 2×2 pixels.

  Attributes:
    filters: output channels.
    dtype: dtype of the computation.
  """

  filters: int
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    if min(x.shape[1:3]) < 2:
      raise errors.UsageError(
        'DenseNet: images must be so large that each block but the last has '
        f'maps of 2×2 or more, got {x.shape[1]}×{x.shape[2]}. Set input.size, '
        "stem='small' or a shorter block_config."
      )
    x = nn.relu(layers.batch_norm(train, self.dtype)(x))
    x = layers.Conv(self.filters, dtype=self.dtype, name='conv')(x)
    return nn.avg_pool(x, (2, 2), strides=(2, 2))


class DenseNet(nn.Module):
  """DenseNet-BC, for images of any number of channels.

  Attributes:
    num_classes: outputs of the head.
    block_config: number of layers in each dense block; image sides are halved
      between blocks.
    growth_rate: channels that a layer adds; the stem has twice as many.
    bottleneck: filters of the 1×1 convolutions, as a factor of `growth_rate`.
    compression: share of the channels that a transition keeps.
    stem: one of `STEMS`.
    stem_stride: stride of the stem 'small', 1 or 2.
    blur_pool: blur pool of the stem 'deep', see `DeepStem`.
    dropout_rate: dropout rate of the features, before the head.
    dtype: dtype of the computation; parameters and outputs are float32.
  """

  num_classes: int
  block_config: tuple[int, ...] = (6, 12, 24, 16)
  growth_rate: int = 32
  bottleneck: int = 4
  compression: float = 0.5
  stem: str = 'imagenet'
  stem_stride: int = 1
  blur_pool: bool = False
  dropout_rate: float = 0.0
  dtype: jnp.dtype = jnp.float32

  def __post_init__(self):
    lookup.check_choice('stem of DenseNet', self.stem, STEMS)
    if self.stem == 'deep':
      rule = "left at 1 unless stem='small'"
      require(self.stem_stride == 1, self, 'stem_stride', rule)
    else:
      layers.check_stem(self)
      rule = "False unless stem='deep'"
      require(not self.blur_pool, self, 'blur_pool', rule)
    check_ranges(
      self,
      positive=('block_config', 'growth_rate', 'bottleneck', 'compression'),
      rates=('dropout_rate',),
    )
    require(self.compression <= 1, self, 'compression', 'at most 1')
    super().__post_init__()

  @nn.compact
  def __call__(
    self, x: jax.Array, *, train: bool = False
  ) -> tuple[jax.Array, jax.Array]:
    """Classifies images.

    Args:
      x: images [examples, height, width, channels].
      train: whether to use the batch's statistics and dropout; requires the
        stream 'dropout' and updates 'batch_stats'.

    Returns:
      Logits [examples, classes] and features [examples, D], the pooled last
      block before dropout, both float32.

    Raises:
      UsageError: the image is too small.
    """
    x = self._stem()(x, train=train)
    for block, size in enumerate(self.block_config, 1):
      for layer in range(1, size + 1):
        x = Layer(
          self.growth_rate,
          self.bottleneck,
          self.dtype,
          name=f'block{block}_layer{layer}',
        )(x, train=train)
      if block < len(self.block_config):
        filters = int(x.shape[-1] * self.compression)
        x = Transition(filters, self.dtype, name=f'transition{block}')(
          x, train=train
        )
    x = nn.relu(layers.batch_norm(train, self.dtype)(x))
    return layers.classify(x, self.num_classes, self.dropout_rate, train=train)

  def _stem(self) -> nn.Module:
    filters = 2 * self.growth_rate
    if self.stem == 'deep':
      return DeepStem(filters, self.blur_pool, self.dtype, name='stem')
    return layers.Stem(
      filters, self.stem, self.stem_stride, self.dtype, name='stem'
    )

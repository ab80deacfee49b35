"""SK-ResNet: residual blocks with attention over two kernel sizes.

Li, Wang, Hu and Yang, 'Selective Kernel Networks' (CVPR 2019), in the form of
the released SK-ResNet-18 and -34: residual blocks of two 3×3 convolutions, the
first of them selective, with one half of the channels for each of its kernels.
Their `stage_sizes` are (2, 2, 2, 2) and (3, 4, 6, 3).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from overlap.models import layers
from overlap.models.options import check_ranges, require

# Dilations of the two 3×3 kernels; a dilation of 2 covers 5×5 pixels.
_DILATIONS = (1, 2)


class SelectiveKernel(nn.Module):
  """Mixture of two convolutions, with weights per channel from their sum.

  Attributes:
    filters: output channels, of each convolution and of the mixture.
    stride: stride in both directions.
    reduction: factor by which channels are squeezed to compute the weights.
    min_squeezed: minimal number of squeezed channels.
    dtype: dtype of the computation.
  """

  filters: int
  stride: int = 1
  reduction: int = 8
  min_squeezed: int = 16
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    halves = jnp.split(x, len(_DILATIONS), axis=-1)
    paths = []
    for i, (half, dilation) in enumerate(
      zip(halves, _DILATIONS, strict=True), 1
    ):
      y = layers.Conv(
        self.filters,
        3,
        self.stride,
        self.dtype,
        dilation=dilation,
        name=f'path{i}_conv',
      )(half)
      y = layers.batch_norm(train, self.dtype, f'path{i}_norm')(y)
      paths.append(nn.relu(y))
    stacked = jnp.stack(paths, axis=3)
    return jnp.sum(stacked * self._shares(stacked, train), axis=3)

  def _shares(self, paths: jax.Array, train: bool) -> jax.Array:
    """Returns weights of the paths, [examples, 1, 1, paths, filters]."""
    squeezed = max(self.filters // self.reduction, self.min_squeezed)
    y = jnp.mean(jnp.sum(paths, axis=3), axis=(1, 2), keepdims=True)
    y = layers.Conv(squeezed, dtype=self.dtype, name='reduce')(y)
    y = nn.relu(layers.batch_norm(train, self.dtype)(y))
    count = paths.shape[3]
    y = layers.Conv(count * self.filters, dtype=self.dtype, name='expand')(y)
    return nn.softmax(y.reshape(-1, 1, 1, count, self.filters), axis=3)


class Block(nn.Module):
  """Residual block of a selective and a plain convolution.

  Attributes:
    filters: number of filters of both convolutions.
    stride: stride of the first convolution.
    reduction: factor by which channels are squeezed, see `SelectiveKernel`.
    min_squeezed: minimal number of squeezed channels.
    zero_init: whether the block starts as the identity.
    dtype: dtype of the computation.
  """

  filters: int
  stride: int = 1
  reduction: int = 8
  min_squeezed: int = 16
  zero_init: bool = False
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    before = x
    x = SelectiveKernel(
      self.filters,
      self.stride,
      self.reduction,
      self.min_squeezed,
      self.dtype,
      name='selective',
    )(x, train=train)
    x = layers.ConvNorm(
      self.filters, 3, zero_init=self.zero_init, dtype=self.dtype, name='conv2'
    )(x, train=train)
    if self.stride != 1 or before.shape[-1] != self.filters:
      before = layers.ConvNorm(
        self.filters, 1, self.stride, dtype=self.dtype, name='shortcut'
      )(before, train=train)
    return nn.relu(x + before)


class SKNet(nn.Module):
  """SK-ResNet, for images of any size and number of channels.

  Attributes:
    num_classes: outputs of the head.
    stage_sizes: number of blocks in each stage; from stage to stage, filters
      are doubled and image sides halved.
    width: filters of the stem and of the first stage, an even number.
    reduction: factor by which channels are squeezed, see `SelectiveKernel`.
    min_squeezed: minimal number of squeezed channels.
    stem: one of `layers.STEMS`.
    stem_stride: stride of the stem 'small', 1 or 2.
    dropout_rate: dropout rate of the features, before the head.
    zero_init_residual: whether every block starts as the identity.
    dtype: dtype of the computation; parameters and outputs are float32.
  """

  num_classes: int
  stage_sizes: tuple[int, ...] = (3, 4, 6, 3)
  width: int = 64
  reduction: int = 8
  min_squeezed: int = 16
  stem: str = 'imagenet'
  stem_stride: int = 1
  dropout_rate: float = 0.0
  zero_init_residual: bool = False
  dtype: jnp.dtype = jnp.float32

  def __post_init__(self):
    layers.check_stem(self)
    check_ranges(
      self,
      positive=('stage_sizes', 'width', 'reduction', 'min_squeezed'),
      rates=('dropout_rate',),
    )
    require(self.width % 2 == 0, self, 'width', 'even')
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
      stage before dropout, both float32.
    """
    x = layers.Stem(
      self.width, self.stem, self.stem_stride, self.dtype, name='stem'
    )(x, train=train)
    for stage, size in enumerate(self.stage_sizes):
      for block in range(size):
        x = Block(
          self.width * 2**stage,
          stride=2 if stage > 0 and block == 0 else 1,
          reduction=self.reduction,
          min_squeezed=self.min_squeezed,
          zero_init=self.zero_init_residual,
          dtype=self.dtype,
          name=f'stage{stage + 1}_block{block + 1}',
        )(x, train=train)
    return layers.classify(x, self.num_classes, self.dropout_rate, train=train)

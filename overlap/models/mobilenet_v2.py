"""MobileNetV2: inverted residuals with linear bottlenecks.

Sandler, Howard, Zhu, Zhmoginov and Chen, 'MobileNetV2: Inverted Residuals and
Linear Bottlenecks' (CVPR 2018). The deeper 'mobilenetv2_120d' of timm has
`width_multiplier` 1.2, `depth_multiplier` 1.4 and `scale_ends` False.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from overlap.models import layers
from overlap.models.inverted_residuals import (
  DepthwiseNorm,
  scale_depth,
  scale_filters,
)
from overlap.models.options import check_ranges, check_strides, require

_STEM_FILTERS = 32
# Table 2: the filters of each stage, before the width multiplier.
_STAGE_FILTERS = (16, 24, 32, 64, 96, 160, 320)


class Block(nn.Module):
  """Inverted residual: expand, convolve each channel, project.

  The input is added if the shapes allow it.

  Attributes:
    filters: output channels.
    stride: stride of the depthwise convolution.
    expansion: factor of the inner channels; 1 for no expansion.
    dtype: dtype of the computation.
  """

  filters: int
  stride: int
  expansion: int
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    before = x
    if self.expansion != 1:
      x = layers.ConvNorm(
        x.shape[-1] * self.expansion, dtype=self.dtype, name='expand'
      )(x, train=train)
      x = nn.relu6(x)
    x = DepthwiseNorm(3, self.stride, self.dtype, padding=1, name='depthwise')(
      x, train=train
    )
    x = nn.relu6(x)
    x = layers.ConvNorm(self.filters, dtype=self.dtype, name='project')(
      x, train=train
    )
    same = self.stride == 1 and before.shape[-1] == self.filters
    return x + before if same else x


class MobileNetV2(nn.Module):
  """MobileNetV2, for images of any size and number of channels.

  Attributes:
    num_classes: outputs of the head.
    width_multiplier: factor of all filters, which are then rounded to
      multiples of 8; applies to the last convolution only if above 1.
    depth_multiplier: factor of `stage_sizes` except the first and the last;
      results are rounded up.
    scale_ends: whether `width_multiplier` applies to the first and the last
      convolution too.
    stem_stride: stride of the first convolution; 1 for small images.
    stage_sizes: number of blocks in each of at most seven stages.
    stage_strides: strides of each stage's first block; for small images, the
      first ones can be 1.
    expansion: factor of the blocks' inner channels; the first stage has none.
    top_filters: number of filters of the last convolution, the size of the
      features.
    dropout_rate: dropout rate of the features, before the head.
    dtype: dtype of the computation; parameters and outputs are float32.
  """

  num_classes: int
  width_multiplier: float = 1.0
  depth_multiplier: float = 1.0
  scale_ends: bool = True
  stem_stride: int = 2
  stage_sizes: tuple[int, ...] = (1, 2, 3, 4, 3, 3, 1)
  stage_strides: tuple[int, ...] = (1, 2, 2, 2, 1, 2, 1)
  expansion: int = 6
  top_filters: int = 1280
  dropout_rate: float = 0.2
  dtype: jnp.dtype = jnp.float32

  def __post_init__(self):
    check_ranges(
      self,
      positive=('width_multiplier', 'depth_multiplier', 'stage_sizes')
      + ('expansion', 'top_filters'),
      rates=('dropout_rate',),
    )
    most = len(_STAGE_FILTERS)
    require(
      len(self.stage_sizes) <= most,
      self,
      'stage_sizes',
      f'of at most {most} stages',
    )
    check_strides(self, 'stage_strides', len(self.stage_sizes))
    require(self.stem_stride in (1, 2), self, 'stem_stride', '1 or 2')
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
      convolution before dropout, both float32.
    """
    ends = self.width_multiplier if self.scale_ends else 1.0
    filters = scale_filters(_STEM_FILTERS, ends)
    x = layers.ConvNorm(
      filters, 3, self.stem_stride, dtype=self.dtype, name='stem'
    )(x, train=train)
    x = nn.relu6(x)
    sizes = scale_depth(
      self.stage_sizes, self.depth_multiplier, fixed_ends=True
    )
    for stage, (size, stride) in enumerate(
      zip(sizes, self.stage_strides, strict=True)
    ):
      for block in range(size):
        x = Block(
          scale_filters(_STAGE_FILTERS[stage], self.width_multiplier),
          stride=stride if block == 0 else 1,
          expansion=self.expansion if stage > 0 else 1,
          dtype=self.dtype,
          name=f'stage{stage + 1}_block{block + 1}',
        )(x, train=train)
    filters = scale_filters(self.top_filters, max(1.0, ends))
    x = layers.ConvNorm(filters, dtype=self.dtype, name='top')(x, train=train)
    return layers.classify(
      nn.relu6(x), self.num_classes, self.dropout_rate, train=train
    )

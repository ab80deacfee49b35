"""ResNet v1.5, whose bottlenecks stride in the 3×3 convolution.

He, Zhang, Ren and Sun, 'Deep Residual Learning for Image Recognition' (CVPR
2016). `stage_sizes` of the known depths: 18 (2, 2, 2, 2) and 34 (3, 4, 6, 3)
of block 'basic'; 50 (3, 4, 6, 3), 101 (3, 4, 23, 3) and 152 (3, 8, 36, 3) of
block 'bottleneck'.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from overlap.core import lookup
from overlap.models import layers
from overlap.models.options import check_ranges, require

BLOCKS = ('basic', 'bottleneck')
# Output channels of a bottleneck block, as a multiple of its filters.
_EXPANSION = 4


class Block(nn.Module):
  """Residual block.

  Attributes:
    filters: number of filters of the 3×3 convolutions.
    stride: stride of the first 3×3 convolution.
    bottleneck: whether the convolutions are 1×1, 3×3, 1×1 instead of 3×3, 3×3.
    zero_init: whether the block starts as the identity.
    keep_prob: keep probability of DropBlock, after each convolution and on the
      shortcut.
    dropblock_size: side of the dropped squares, see `layers.DropBlock`.
    dropblock_strength: scale of the dropped share, see `layers.DropBlock`.
    dtype: dtype of the computation.
  """

  filters: int
  stride: int = 1
  bottleneck: bool = True
  zero_init: bool = True
  keep_prob: float = 1.0
  dropblock_size: int = 7
  dropblock_strength: float | jax.Array = 1.0
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    drop = layers.DropBlock(
      self.keep_prob, self.dropblock_size, self.dropblock_strength
    )
    before = x
    convolutions = self._convolutions()
    for i, convolution in enumerate(convolutions, 1):
      last = i == len(convolutions)
      x = layers.ConvNorm(
        *convolution,
        zero_init=last and self.zero_init,
        dtype=self.dtype,
        name=f'conv{i}',
      )(x, train=train)
      x = drop(x if last else nn.relu(x), train=train)
    if self.stride != 1 or before.shape[-1] != x.shape[-1]:
      before = layers.ConvNorm(
        x.shape[-1], 1, self.stride, dtype=self.dtype, name='shortcut'
      )(before, train=train)
    return nn.relu(x + drop(before, train=train))

  def _convolutions(self) -> tuple[tuple[int, int, int], ...]:
    """Returns (filters, kernel, stride) of each convolution."""
    if not self.bottleneck:
      return (self.filters, 3, self.stride), (self.filters, 3, 1)
    return (
      (self.filters, 1, 1),
      (self.filters, 3, self.stride),
      (self.filters * _EXPANSION, 1, 1),
    )


class ResNet(nn.Module):
  """ResNet, for images of any size and number of channels.

  Attributes:
    num_classes: outputs of the head.
    stage_sizes: number of blocks in each stage; from stage to stage, filters
      are doubled and image sides halved.
    block: one of `BLOCKS`.
    width: filters of the stem and of the first stage.
    width_multiplier: factor of all filters: the stem's and, within the blocks
      and at their ends, each stage's (2 for ResNet-50x2 of SimCLR and BiT;
      not Wide ResNet-50-2, which widens the 3×3 convolutions alone).
    stem: one of `layers.STEMS`.
    stem_stride: stride of the stem 'small', 1 or 2.
    dropout_rate: dropout rate of the features, before the head.
    dropblock_groups: one-based numbers of the stages with DropBlock.
    dropblock_keep_prob: keep probability in the last stage. The dropped share
      of each earlier stage, whose maps are four times as large, is a quarter
      of the next stage's, as in the authors' code.
    dropblock_size: side of the dropped squares.
    dropblock_strength: scale of the dropped share, see `layers.DropBlock`;
      training increases it step by step if `train.dropblock_ramp` is set.
    zero_init_residual: whether every block starts as the identity.
    dtype: dtype of the computation; parameters and outputs are float32.
  """

  num_classes: int
  stage_sizes: tuple[int, ...] = (3, 4, 6, 3)
  block: str = 'bottleneck'
  width: int = 64
  width_multiplier: float = 1.0
  stem: str = 'imagenet'
  stem_stride: int = 1
  dropout_rate: float = 0.0
  dropblock_groups: tuple[int, ...] = ()
  dropblock_keep_prob: float = 1.0
  dropblock_size: int = 7
  dropblock_strength: float | jax.Array = 1.0
  zero_init_residual: bool = True
  dtype: jnp.dtype = jnp.float32

  def __post_init__(self):
    lookup.check_choice('block of ResNet', self.block, BLOCKS)
    layers.check_stem(self)
    check_ranges(
      self,
      positive=('stage_sizes', 'width', 'width_multiplier', 'dropblock_size'),
      rates=('dropout_rate',),
    )
    groups = range(1, len(self.stage_sizes) + 1)
    require(
      set(self.dropblock_groups) <= set(groups),
      self,
      'dropblock_groups',
      f'among the {len(groups)} stages, counted from 1',
    )
    require(
      0 < self.dropblock_keep_prob <= 1,
      self,
      'dropblock_keep_prob',
      'in (0, 1]',
    )
    require(
      self.dropblock_keep_prob == 1 or bool(self.dropblock_groups),
      self,
      'dropblock_keep_prob',
      '1 where no dropblock_groups are given',
    )
    super().__post_init__()

  @nn.compact
  def __call__(
    self, x: jax.Array, *, train: bool = False
  ) -> tuple[jax.Array, jax.Array]:
    """Classifies images.

    Args:
      x: images [examples, height, width, channels].
      train: whether to use the batch's statistics, dropout and DropBlock;
        requires the stream 'dropout' and updates 'batch_stats'.

    Returns:
      Logits [examples, classes] and features [examples, D], the pooled last
      stage before dropout, both float32.
    """
    width = round(self.width * self.width_multiplier)
    x = layers.Stem(
      width, self.stem, self.stem_stride, self.dtype, name='stem'
    )(x, train=train)
    for stage, size in enumerate(self.stage_sizes):
      for block in range(size):
        x = Block(
          width * 2**stage,
          stride=2 if stage > 0 and block == 0 else 1,
          bottleneck=self.block == 'bottleneck',
          zero_init=self.zero_init_residual,
          keep_prob=self._keep_prob(stage),
          dropblock_size=self.dropblock_size,
          dropblock_strength=self.dropblock_strength,
          dtype=self.dtype,
          name=f'stage{stage + 1}_block{block + 1}',
        )(x, train=train)
    return layers.classify(x, self.num_classes, self.dropout_rate, train=train)

  def _keep_prob(self, stage: int) -> float:
    """Returns DropBlock's keep probability in a stage, counted from 0."""
    if stage + 1 not in self.dropblock_groups:
      return 1.0
    stages_after = len(self.stage_sizes) - 1 - stage
    return 1 - (1 - self.dropblock_keep_prob) / 4**stages_after

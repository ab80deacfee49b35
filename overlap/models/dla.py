"""DLA: trees of blocks, whose roots combine the outputs of their nodes.

Yu, Wang, Shelhamer and Darrell, 'Deep Layer Aggregation' (CVPR 2018).
Released as DLA-34, `depths` (1, 1, 1, 2, 2, 1) and `filters`
(16, 32, 64, 128, 256, 512) of block 'basic'; DLA-60, the defaults; DLA-102,
(1, 1, 1, 3, 4, 1), and DLA-169, (1, 1, 2, 3, 5, 1), with `residual_roots`.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from overlap.core import errors, lookup
from overlap.models import layers
from overlap.models.options import check_ranges, check_strides, require

BLOCKS = ('basic', 'bottleneck')
# Output channels of a bottleneck block, as a multiple of its inner filters.
_REDUCTION = 2
# Number of levels of plain convolutions before the levels of trees.
_PLAIN = 2


class Block(nn.Module):
  """Convolutions whose result is added to a shortcut.

  Attributes:
    filters: output channels.
    stride: stride of the first 3×3 convolution.
    bottleneck: whether the convolutions are 1×1, 3×3, 1×1 instead of 3×3, 3×3.
    dtype: dtype of the computation.
  """

  filters: int
  stride: int = 1
  bottleneck: bool = True
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(
    self, x: jax.Array, shortcut: jax.Array, *, train: bool
  ) -> jax.Array:
    for i, convolution in enumerate(self._convolutions(), 1):
      x = nn.relu(x) if i > 1 else x
      x = layers.ConvNorm(*convolution, dtype=self.dtype, name=f'conv{i}')(
        x, train=train
      )
    return nn.relu(x + shortcut)

  def _convolutions(self) -> tuple[tuple[int, int, int], ...]:
    """Returns (filters, kernel, stride) of each convolution."""
    if not self.bottleneck:
      return (self.filters, 3, self.stride), (self.filters, 3, 1)
    within = self.filters // _REDUCTION
    return (within, 1, 1), (within, 3, self.stride), (self.filters, 1, 1)


class Root(nn.Module):
  """1×1 convolution of concatenated maps, beginning with the last block's.

  Attributes:
    filters: output channels.
    residual: whether to add the last block's map.
    dtype: dtype of the computation.
  """

  filters: int
  residual: bool = False
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, maps: tuple[jax.Array, ...], *, train: bool) -> jax.Array:
    x = layers.Conv(self.filters, dtype=self.dtype, name='conv')(
      jnp.concatenate(maps, axis=-1)
    )
    x = layers.batch_norm(train, self.dtype)(x)
    return nn.relu(x + maps[0] if self.residual else x)


class Tree(nn.Module):
  """Tree of blocks: two trees of depth - 1, or two blocks and a root.

  The last root also takes the maps of earlier subtrees.

  Attributes:
    depth: depth of the tree, which has 2**depth blocks.
    filters: output channels.
    stride: stride of the first block.
    keeps_input: whether the root also takes the (pooled) input.
    bottleneck: whether blocks are bottlenecks, see `Block`.
    residual_roots: whether roots add the last block's map.
    dtype: dtype of the computation.
  """

  depth: int
  filters: int
  stride: int = 1
  keeps_input: bool = False
  bottleneck: bool = True
  residual_roots: bool = False
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(
    self, x: jax.Array, earlier: tuple[jax.Array, ...] = (), *, train: bool
  ) -> jax.Array:
    bottom = _halved(x) if self.stride > 1 else x
    if self.keeps_input:
      earlier = (*earlier, bottom)
    if self.depth > 1:
      first = self._tree('tree1', self.stride)(x, train=train)
      return self._tree('tree2')(first, (*earlier, first), train=train)
    if bottom.shape[-1] != self.filters:
      bottom = layers.ConvNorm(self.filters, dtype=self.dtype, name='project')(
        bottom, train=train
      )
    first = self._block('block1', self.stride)(x, bottom, train=train)
    second = self._block('block2')(first, first, train=train)
    root = Root(self.filters, self.residual_roots, self.dtype, name='root')
    return root((second, first, *earlier), train=train)

  def _tree(self, name: str, stride: int = 1) -> nn.Module:
    return Tree(
      self.depth - 1,
      self.filters,
      stride,
      bottleneck=self.bottleneck,
      residual_roots=self.residual_roots,
      dtype=self.dtype,
      name=name,
    )

  def _block(self, name: str, stride: int = 1) -> nn.Module:
    return Block(self.filters, stride, self.bottleneck, self.dtype, name=name)


def _halved(x: jax.Array) -> jax.Array:
  """Max-pools 2×2 pixels at stride 2."""
  if any(size % 2 for size in x.shape[1:3]):
    raise errors.UsageError(
      'DLA: images must have maps of even sides before each tree but those of '
      f'stride 1, got {x.shape[1]}×{x.shape[2]}. Set input.size to a multiple '
      'of the product of the strides (32), or one less.'
    )
  return nn.max_pool(x, (2, 2), strides=(2, 2))


class DLA(nn.Module):
  """DLA, for images of any number of channels.

  Attributes:
    num_classes: outputs of the head.
    depths: number of convolutions in each of the first two levels, then depth
      of the tree in each further level.
    filters: number of filters of each level.
    strides: strides of each level; the first ones can be 1 for small images.
    block: one of `BLOCKS`.
    residual_roots: whether the roots add the last block's map.
    dropout_rate: dropout rate of the features, before the head.
    dtype: dtype of the computation; parameters and outputs are float32.
  """

  num_classes: int
  depths: tuple[int, ...] = (1, 1, 1, 2, 3, 1)
  filters: tuple[int, ...] = (16, 32, 128, 256, 512, 1024)
  strides: tuple[int, ...] = (1, 2, 2, 2, 2, 2)
  block: str = 'bottleneck'
  residual_roots: bool = False
  dropout_rate: float = 0.0
  dtype: jnp.dtype = jnp.float32

  def __post_init__(self):
    lookup.check_choice('block', self.block, BLOCKS)
    check_ranges(self, positive=('depths', 'filters'), rates=('dropout_rate',))
    levels = len(self.depths)
    require(levels > _PLAIN, self, 'depths', f'of more than {_PLAIN} levels')
    require(len(self.filters) == levels, self, 'filters', f'{levels} numbers')
    check_strides(self, 'strides', levels)
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
      level before dropout, both float32.

    Raises:
      UsageError: the sides of a map to halve are odd.
    """
    x = layers.ConvNorm(self.filters[0], 7, dtype=self.dtype, name='stem')(
      x, train=train
    )
    x = nn.relu(x)
    for level, (depth, filters, stride) in enumerate(
      zip(self.depths, self.filters, self.strides, strict=True)
    ):
      if level >= _PLAIN:
        x = Tree(
          depth,
          filters,
          stride,
          keeps_input=level > _PLAIN,
          bottleneck=self.block == 'bottleneck',
          residual_roots=self.residual_roots,
          dtype=self.dtype,
          name=f'level{level}',
        )(x, train=train)
        continue
      for i in range(depth):
        x = layers.ConvNorm(
          filters,
          3,
          stride if i == 0 else 1,
          dtype=self.dtype,
          name=f'level{level}_conv{i + 1}',
        )(x, train=train)
        x = nn.relu(x)
    return layers.classify(x, self.num_classes, self.dropout_rate, train=train)

"""HRNet: parallel branches of several resolutions that exchange features.

Wang et al., 'Deep High-Resolution Representation Learning for Visual
Recognition' (TPAMI 2020), with its classification head. The defaults are
HRNet-W18-C-Small-v2; Small-v1 is `width` 16, `first_filters` 32,
`first_blocks` 1 and `exchanges` (1, 1, 1); HRNet-W18-C is `first_blocks` 4,
`exchanges` (1, 4, 3) and `branch_blocks` 4.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from overlap.core import errors
from overlap.models import layers, resnet
from overlap.models.options import check_ranges, require

# Filters of the head's bottlenecks, one per branch, with four times as many
# output channels.
_HEAD_FILTERS = (32, 64, 128, 256)


class Exchange(nn.Module):
  """Residual blocks in every branch, then sums over all branches.

  Attributes:
    blocks: number of blocks in each branch.
    dtype: dtype of the computation.
  """

  blocks: int
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(
    self, branches: Sequence[jax.Array], *, train: bool
  ) -> list[jax.Array]:
    branches = list(branches)
    for i, x in enumerate(branches):
      for block in range(self.blocks):
        x = resnet.Block(
          x.shape[-1],
          bottleneck=False,
          zero_init=False,
          dtype=self.dtype,
          name=f'branch{i + 1}_block{block + 1}',
        )(x, train=train)
      branches[i] = x
    return [
      nn.relu(sum(self._sent(branches, i, to, train) for i in _all(branches)))
      for to in _all(branches)
    ]

  def _sent(
    self, branches: Sequence[jax.Array], source: int, to: int, train: bool
  ) -> jax.Array:
    """Returns one branch's map with the size and channels of another."""
    x, filters = branches[source], branches[to].shape[-1]
    name = f'branch{source + 1}_to{to + 1}'
    if source > to:
      x = layers.ConvNorm(filters, dtype=self.dtype, name=name)(x, train=train)
      times = 2 ** (source - to)
      return jnp.repeat(jnp.repeat(x, times, axis=1), times, axis=2)
    for step in range(1, to - source + 1):
      last = step == to - source
      x = layers.ConvNorm(
        filters if last else x.shape[-1],
        3,
        2,
        dtype=self.dtype,
        name=f'{name}_conv{step}',
      )(x, train=train)
      x = x if last else nn.relu(x)
    return x


def _all(branches: Sequence[jax.Array]) -> range:
  return range(len(branches))


class HRNet(nn.Module):
  """HRNet, for images of any number of channels.

  Attributes:
    num_classes: outputs of the head.
    width: filters of the first branch; each further branch has twice as many
      at half the resolution.
    stem_filters: number of filters of the two first convolutions.
    stem_strides: strides of these convolutions; 1 for small images.
    first_filters: inner filters of the first stage's bottlenecks.
    first_blocks: number of bottlenecks in the first stage, of one branch.
    exchanges: number of exchanges in each later stage; each stage has one
      branch more than the one before.
    branch_blocks: number of blocks in a branch before each exchange.
    top_filters: number of filters of the last convolution, the size of the
      features.
    dropout_rate: dropout rate of the features, before the head.
    dtype: dtype of the computation; parameters and outputs are float32.
  """

  num_classes: int
  width: int = 18
  stem_filters: tuple[int, ...] = (64, 64)
  stem_strides: tuple[int, ...] = (2, 2)
  first_filters: int = 64
  first_blocks: int = 2
  exchanges: tuple[int, ...] = (1, 3, 2)
  branch_blocks: int = 2
  top_filters: int = 2048
  dropout_rate: float = 0.0
  dtype: jnp.dtype = jnp.float32

  def __post_init__(self):
    check_ranges(
      self,
      positive=(
        'width', 'stem_filters', 'first_filters', 'first_blocks', 'exchanges',
        'branch_blocks', 'top_filters',
      ),
      rates=('dropout_rate',),
    )  # fmt: skip
    require(len(self.stem_filters) == 2, self, 'stem_filters', '2 numbers')
    require(
      len(self.stem_strides) == 2 and set(self.stem_strides) <= {1, 2},
      self,
      'stem_strides',
      'twice 1 or 2',
    )
    most = len(_HEAD_FILTERS) - 1
    require(
      len(self.exchanges) <= most,
      self,
      'exchanges',
      f'of at most {most} stages',
    )
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

    Raises:
      UsageError: the image's size can't be halved for every branch.
    """
    for i, (filters, stride) in enumerate(
      zip(self.stem_filters, self.stem_strides, strict=True), 1
    ):
      x = self._conv(filters, stride, f'stem{i}', x, train)
    self._check_size(x)
    for block in range(self.first_blocks):
      x = self._bottleneck(
        self.first_filters, f'stage1_block{block + 1}', x, train
      )
    branches = [x]
    for stage, exchanges in enumerate(self.exchanges, 2):
      branches = self._widened(branches, stage, train)
      for i in range(exchanges):
        branches = Exchange(
          self.branch_blocks, self.dtype, name=f'stage{stage}_exchange{i + 1}'
        )(branches, train=train)
    x = self._joined(branches, train)
    return layers.classify(x, self.num_classes, self.dropout_rate, train=train)

  def _check_size(self, x: jax.Array) -> None:
    smallest = 2 ** len(self.exchanges)
    if any(size % smallest for size in x.shape[1:3]):
      raise errors.UsageError(
        'HRNet: maps after the stem must have sides that are multiples of '
        f'{smallest}, got {x.shape[1]}×{x.shape[2]}. Set input.size to a '
        f'multiple of {smallest} times the strides of the stem.'
      )

  def _widened(
    self, branches: list[jax.Array], stage: int, train: bool
  ) -> list[jax.Array]:
    """Adds a branch, and gives the first its final number of channels."""
    first, last = branches[0], branches[-1]
    name = f'stage{stage}_branch'
    if first.shape[-1] != self.width:
      first = self._conv(self.width, 1, f'{name}1', first, train)
    filters = self.width * 2 ** len(branches)
    new = self._conv(filters, 2, f'{name}{len(branches) + 1}', last, train)
    return [first, *branches[1:], new]

  def _joined(self, branches: list[jax.Array], train: bool) -> jax.Array:
    """Joins all branches at the lowest resolution, for the classifier."""
    widened = [
      self._bottleneck(_HEAD_FILTERS[i], f'head_branch{i + 1}', x, train)
      for i, x in enumerate(branches)
    ]
    total = widened[0]
    for i, x in enumerate(widened[1:], 1):
      name = f'head_down{i}'
      total = x + self._conv(x.shape[-1], 2, name, total, train, use_bias=True)
    return self._conv(
      self.top_filters, 1, 'top', total, train, kernel=1, use_bias=True
    )

  def _bottleneck(
    self, filters: int, name: str, x: jax.Array, train: bool
  ) -> jax.Array:
    return resnet.Block(filters, zero_init=False, dtype=self.dtype, name=name)(
      x, train=train
    )

  def _conv(
    self,
    filters: int,
    stride: int,
    name: str,
    x: jax.Array,
    train: bool,
    *,
    kernel: int = 3,
    use_bias: bool = False,
  ) -> jax.Array:
    """Applies convolution, batch norm and ReLU."""
    x = layers.Conv(
      filters,
      kernel,
      stride,
      self.dtype,
      use_bias=use_bias,
      name=f'{name}_conv',
    )(x)
    return nn.relu(layers.batch_norm(train, self.dtype, f'{name}_norm')(x))

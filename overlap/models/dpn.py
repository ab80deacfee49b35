"""DPN: a residual and a densely connected path side by side.

Chen, Li, Xiao, Jin, Yan and Feng, 'Dual Path Networks' (NeurIPS 2017). The
defaults are DPN-68; DPN-92 is `stage_sizes` (3, 4, 20, 3), `growth`
(16, 32, 24, 128), `bottleneck` 96, `expansion` 4, `stem_filters` 64 and
`stem_kernel` 7.
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from overlap.core import lookup
from overlap.models import layers
from overlap.models.options import check_ranges, require

# Activations before the pooling. The released weights were trained with 'relu';
# versions of timm around 2021 applied 'elu' instead.
ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
  'relu': nn.relu,
  'elu': nn.elu,
}
_EPSILON = 1e-3  # Added to the variance in all norms.
# Channels of the residual path in each stage, before the expansion.
_RESIDUAL_FILTERS = (64, 128, 256, 512)


class NormConv(nn.Module):
  """Batch norm, ReLU and convolution.

  Attributes:
    filters: output channels.
    kernel: side of the kernel.
    stride: stride in both directions.
    groups: number of groups of channels.
    dtype: dtype of the computation.
  """

  filters: int
  kernel: int = 1
  stride: int = 1
  groups: int = 1
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    x = nn.relu(layers.batch_norm(train, self.dtype, epsilon=_EPSILON)(x))
    return layers.Conv(
      self.filters,
      self.kernel,
      self.stride,
      self.dtype,
      groups=self.groups,
      name='conv',
    )(x)


class Block(nn.Module):
  """Dual-path block with a residual and a densely connected path.

  It adds to the first `residual` channels and appends `growth` channels.

  Attributes:
    bottleneck: filters of the 3×3 convolution.
    residual: channels of the residual path.
    growth: channels that the dense path gains.
    groups: number of groups of the 3×3 convolution.
    stride: stride of the 3×3 convolution and the projection.
    project: whether both paths start from a convolution of the input, the dense
      path with twice `growth` channels; for the first block of a stage.
    dtype: dtype of the computation.
  """

  bottleneck: int
  residual: int
  growth: int
  groups: int
  stride: int = 1
  project: bool = False
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    before = x
    if self.project:
      before = NormConv(
        self.residual + 2 * self.growth,
        stride=self.stride,
        dtype=self.dtype,
        name='project',
      )(x, train=train)
    for i, convolution in enumerate(
      (
        (self.bottleneck, 1, 1, 1),
        (self.bottleneck, 3, self.stride, self.groups),
        (self.residual + self.growth, 1, 1, 1),
      ),
      1,
    ):
      x = NormConv(*convolution, self.dtype, name=f'conv{i}')(x, train=train)
    added = before[..., : self.residual] + x[..., : self.residual]
    return jnp.concatenate(
      [added, before[..., self.residual :], x[..., self.residual :]], axis=-1
    )


class DPN(nn.Module):
  """DPN, for images of any size and number of channels.

  Attributes:
    num_classes: outputs of the head.
    stage_sizes: number of blocks in each of at most four stages; image sides
      are halved between stages.
    growth: channels that a block of each stage appends.
    bottleneck: filters of the 3×3 convolutions in the first stage; doubled from
      each stage to the next.
    expansion: factor of the residual path's channels.
    groups: number of groups of the 3×3 convolutions.
    stem_filters: number of filters of the first convolution.
    stem_kernel: side of the kernel of the first convolution.
    last_activation: activation before the pooling, key of `ACTIVATIONS`.
    dropout_rate: dropout rate of the features, before the head.
    dtype: dtype of the computation; parameters and outputs are float32.
  """

  num_classes: int
  stage_sizes: tuple[int, ...] = (3, 4, 12, 3)
  growth: tuple[int, ...] = (16, 32, 32, 64)
  bottleneck: int = 128
  expansion: int = 1
  groups: int = 32
  stem_filters: int = 10
  stem_kernel: int = 3
  last_activation: str = 'relu'
  dropout_rate: float = 0.0
  dtype: jnp.dtype = jnp.float32

  def __post_init__(self):
    lookup.check_choice('last_activation', self.last_activation, ACTIVATIONS)
    check_ranges(
      self,
      positive=(
        'stage_sizes',
        'growth',
        'bottleneck',
        'expansion',
        'groups',
        'stem_filters',
        'stem_kernel',
      ),
      rates=('dropout_rate',),
    )
    most, stages = len(_RESIDUAL_FILTERS), len(self.stage_sizes)
    require(stages <= most, self, 'stage_sizes', f'of at most {most} stages')
    require(len(self.growth) == stages, self, 'growth', f'{stages} numbers')
    require(
      self.bottleneck % self.groups == 0,
      self,
      'bottleneck',
      f'a multiple of groups ({self.groups})',
    )
    require(self.stem_kernel % 2 == 1, self, 'stem_kernel', 'odd')
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
    x = layers.ConvNorm(
      self.stem_filters,
      self.stem_kernel,
      2,
      dtype=self.dtype,
      epsilon=_EPSILON,
      name='stem',
    )(x, train=train)
    x = nn.relu(x)
    x = nn.max_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
    for stage, (size, growth) in enumerate(
      zip(self.stage_sizes, self.growth, strict=True)
    ):
      for block in range(size):
        x = Block(
          self.bottleneck * 2**stage,
          _RESIDUAL_FILTERS[stage] * self.expansion,
          growth,
          self.groups,
          stride=2 if stage > 0 and block == 0 else 1,
          project=block == 0,
          dtype=self.dtype,
          name=f'stage{stage + 1}_block{block + 1}',
        )(x, train=train)
    x = layers.batch_norm(train, self.dtype, epsilon=_EPSILON)(x)
    x = ACTIVATIONS[self.last_activation](x)
    return layers.classify(x, self.num_classes, self.dropout_rate, train=train)

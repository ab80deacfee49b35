"""BiT's pre-activation ResNet with group norm and standardised weights.

Kolesnikov et al., 'Big Transfer (BiT): General Visual Representation Learning'
(ECCV 2020), on the pre-activation blocks of He et al., 'Identity Mappings in
Deep Residual Networks' (ECCV 2016). Named by depth and width: `stage_sizes` of
R50 (3, 4, 6, 3), of R101 (3, 4, 23, 3) and of R152 (3, 8, 36, 3), with
`width_factor` 1 for R50x1 and R101x1, 3 for R50x3 and R101x3, 2 and 4 for
R152x2 and R152x4.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from overlap.models import layers
from overlap.models.options import check_ranges, require

# A block has this many times its filters at its end.
_EXPANSION = 4
_STANDARDISE_EPSILON = 1e-8

_conv_init = nn.initializers.lecun_normal()


def standardise(kernel: jax.Array) -> jax.Array:
  """Returns a kernel with mean 0 and variance 1 per output (last axis)."""
  axes = tuple(range(kernel.ndim - 1))
  centred = kernel - jnp.mean(kernel, axis=axes, keepdims=True)
  variance = jnp.mean(jnp.square(centred), axis=axes, keepdims=True)
  return centred * jax.lax.rsqrt(variance + _STANDARDISE_EPSILON)


class StandardisedConv(nn.Module):
  """`layers.Conv` whose parameter 'kernel' is standardised before its use.

  Attributes:
    filters: output channels.
    kernel: side of the kernel, odd.
    stride: stride in both directions.
    dtype: dtype of the computation.
  """

  filters: int
  kernel: int = 1
  stride: int = 1
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    shape = () if self.kernel == 1 else (self.kernel, self.kernel)
    kernel = self.param(
      'kernel', _conv_init, (*shape, x.shape[-1], self.filters)
    )
    conv = layers.Conv(
      self.filters, self.kernel, self.stride, self.dtype, parent=None
    )
    return conv.apply({'params': {'kernel': standardise(kernel)}}, x)


def group_norm(groups: int, dtype: jnp.dtype, name: str) -> nn.GroupNorm:
  """Returns group norm with the constants of the released weights."""
  return nn.GroupNorm(
    groups, epsilon=1e-5, dtype=dtype, use_fast_variance=False, name=name
  )


class Block(nn.Module):
  """Pre-activation bottleneck: 1×1, 3×3 and 1×1 convolutions, and a shortcut.

  Attributes:
    filters: number of filters of the 3×3 convolution.
    stride: stride of the 3×3 convolution.
    project: whether the shortcut is a convolution, after the first norm.
    groups: number of groups of the norms.
    dtype: dtype of the computation.
  """

  filters: int
  stride: int = 1
  project: bool = False
  groups: int = 32
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    before = x
    filters_out = self.filters * _EXPANSION
    for i, (filters, kernel, stride) in enumerate(
      (
        (self.filters, 1, 1),
        (self.filters, 3, self.stride),
        (filters_out, 1, 1),
      ),
      1,
    ):
      x = nn.relu(group_norm(self.groups, self.dtype, f'norm{i}')(x))
      if i == 1 and self.project:
        before = StandardisedConv(
          filters_out, 1, self.stride, self.dtype, name='shortcut'
        )(x)
      x = StandardisedConv(
        filters, kernel, stride, self.dtype, name=f'conv{i}'
      )(x)
    return x + before


class BiT(nn.Module):
  """BiT's ResNet-v2, for images of any size and number of channels.

  Attributes:
    num_classes: outputs of the head, which starts at zero.
    stage_sizes: number of blocks in each stage; filters double and images
      halve from each to the next.
    width_factor: factor of all filters: the stem's and, within the blocks and
      at their ends, each stage's.
    width: filters of the stem and of the first stage, before the factor.
    groups: number of groups of the group norms; divides the filters of the
      first stage.
    stem: one of `layers.STEMS`, without a norm.
    stem_stride: stride of the stem 'small', 1 or 2.
    dropout_rate: dropout rate of the features, before the head.
    dtype: dtype of the computation; parameters and outputs are float32.
  """

  num_classes: int
  stage_sizes: tuple[int, ...] = (3, 4, 6, 3)
  width_factor: int = 1
  width: int = 64
  groups: int = 32
  stem: str = 'imagenet'
  stem_stride: int = 1
  dropout_rate: float = 0.0
  dtype: jnp.dtype = jnp.float32

  def __post_init__(self):
    layers.check_stem(self)
    check_ranges(
      self,
      positive=('stage_sizes', 'width_factor', 'width', 'groups'),
      rates=('dropout_rate',),
    )
    filters = self.width * self.width_factor
    rule = f'a divisor of width·width_factor={filters}'
    require(filters % self.groups == 0, self, 'groups', rule)
    super().__post_init__()

  @nn.compact
  def __call__(
    self, x: jax.Array, *, train: bool = False
  ) -> tuple[jax.Array, jax.Array]:
    """Classifies images.

    Args:
      x: images [examples, height, width, channels].
      train: whether to use dropout; requires the stream 'dropout'.

    Returns:
      Logits [examples, classes] and features [examples, D], the pooled last
      stage after its norm and before dropout, both float32.
    """
    filters = self.width * self.width_factor
    x = self._stem(x, filters)
    for stage, size in enumerate(self.stage_sizes):
      for block in range(size):
        x = Block(
          filters * 2**stage,
          stride=2 if stage > 0 and block == 0 else 1,
          project=block == 0,
          groups=self.groups,
          dtype=self.dtype,
          name=f'stage{stage + 1}_block{block + 1}',
        )(x)
    x = nn.relu(group_norm(self.groups, self.dtype, 'norm')(x))
    return layers.classify(
      x, self.num_classes, self.dropout_rate, train=train, zero_init=True
    )

  def _stem(self, x: jax.Array, filters: int) -> jax.Array:
    imagenet = self.stem == 'imagenet'
    kernel, stride = (7, 2) if imagenet else (3, self.stem_stride)
    x = StandardisedConv(filters, kernel, stride, self.dtype, name='stem')(x)
    if not imagenet:
      return x
    # Pad with zeros as the released weights do, although values may be
    # negative here, since there is no ReLU yet.
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return nn.max_pool(x, (3, 3), strides=(2, 2))

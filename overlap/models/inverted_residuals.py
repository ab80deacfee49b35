"""Parts shared by MobileNetV2 and the EfficientNets: scaling, block sizes.

Tan and Le, 'EfficientNet: Rethinking Model Scaling for Convolutional Neural
Networks' (ICML 2019): all members of the family scale the filters and the depth
of EfficientNet-B0 (table 1).
"""

import dataclasses
import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from overlap.models import depthwise, layers


@dataclasses.dataclass(frozen=True)
class Variant:
  """Compound scaling of one member of the family.

  Attributes:
    width: factor of the blocks' filters.
    depth: factor of the number of blocks.
    image_size: side of the images that it was released for, in pixels.
    dropout_rate: dropout rate before the head.
  """

  width: float
  depth: float
  image_size: int
  dropout_rate: float


@dataclasses.dataclass(frozen=True)
class BlockSpec:
  """Sizes of an inverted residual block; `expansion` 1 is no expansion."""

  kernel: int
  stride: int
  expansion: int
  filters: int


# Stages of B0: number of blocks, kernel, first stride, expansion, filters.
_STAGES = (
  (1, 3, 1, 1, 16),
  (2, 3, 2, 6, 24),
  (2, 5, 2, 6, 40),
  (3, 3, 2, 6, 80),
  (3, 5, 1, 6, 112),
  (4, 5, 2, 6, 192),
  (1, 3, 1, 6, 320),
)


def scale_filters(filters: int, width: float) -> int:
  """Scales filters and rounds to a multiple of 8, at most 10 % below."""
  scaled = filters * width
  rounded = max(8, int(scaled + 4) // 8 * 8)
  return rounded + 8 if rounded < 0.9 * scaled else rounded


def scale_depth(
  sizes: tuple[int, ...], depth: float, *, fixed_ends: bool
) -> tuple[int, ...]:
  """Scales the number of blocks of each stage, rounding up.

  Args:
    sizes: number of blocks in each stage.
    depth: factor of the number of blocks.
    fixed_ends: whether the first and the last stage keep their size.
  """
  last = len(sizes) - 1
  return tuple(
    size if fixed_ends and stage in (0, last) else math.ceil(size * depth)
    for stage, size in enumerate(sizes)
  )


def block_specs(
  width: float, depth: float, *, fixed_ends: bool = True
) -> list[BlockSpec]:
  """Returns the blocks of a whole EfficientNet, first to last.

  Args:
    width: factor of the filters.
    depth: factor of the number of blocks in each stage.
    fixed_ends: whether the first and the last stage keep their depth.
  """
  numbers = tuple(stage[0] for stage in _STAGES)
  numbers = scale_depth(numbers, depth, fixed_ends=fixed_ends)
  specs = []
  for number, stage in zip(numbers, _STAGES, strict=True):
    _, kernel, stride, expansion, filters = stage
    for block in range(number):
      specs.append(
        BlockSpec(
          kernel=kernel,
          stride=stride if block == 0 else 1,
          expansion=expansion,
          filters=scale_filters(filters, width),
        )
      )
  return specs


class DepthwiseNorm(nn.Module):
  """Depthwise convolution and batch norm.

  Attributes:
    size: side of the kernel.
    stride: stride in both directions.
    dtype: dtype of the computation.
    padding: pixels on every side, or None, see `depthwise.depthwise_conv`.
    epsilon: epsilon of the norm.
  """

  size: int
  stride: int = 1
  dtype: jnp.dtype = jnp.float32
  padding: int | None = None
  epsilon: float = 1e-5

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    x = depthwise.DepthwiseConv(
      self.size, self.stride, self.dtype, padding=self.padding, name='conv'
    )(x)
    return layers.batch_norm(train, self.dtype, epsilon=self.epsilon)(x)

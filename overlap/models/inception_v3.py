"""Inception-v3, without its auxiliary head.

Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, 'Rethinking the Inception
Architecture for Computer Vision' (CVPR 2016). Weights of Kurakin, Goodfellow
and Bengio, 'Adversarial Machine Learning at Scale' (ICLR 2017), fit it too.
"""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp

from overlap import errors
from overlap.models import layers
from overlap.models.options import check_ranges

# The smallest side of which something is left to pool at the end.
MIN_IMAGE_SIZE = 75


@dataclasses.dataclass(frozen=True)
class Conv:
  """One convolution: at stride 2, and where not `padded`, it is VALID."""

  filters: int
  kernel: int | tuple[int, int] = 1
  stride: int = 1
  padded: bool = True


# A convolution, or two of the same input whose outputs stand side by side.
Step = Conv | tuple[Conv, Conv]


@dataclasses.dataclass(frozen=True)
class Spec:
  """One Inception block.

  Attributes:
    branches: name and steps of each that convolves the block's input, in the
      order of their outputs.
    pooled: filters of the 1×1 convolution of the mean of each 3×3, the last
      branch; None: the maximum of each 3×3 at stride 2 is the last branch.
  """

  branches: tuple[tuple[str, tuple[Step, ...]], ...]
  pooled: int | None = None


_ROW, _COLUMN = (1, 7), (7, 1)


def _fork(filters: int) -> tuple[Conv, Conv]:
  return Conv(filters, (1, 3)), Conv(filters, (3, 1))


def _spec_35(pooled: int) -> Spec:
  """Figure 5."""
  twice = (Conv(64), Conv(96, 3), Conv(96, 3))
  branches = (
    ('1x1', (Conv(64),)),
    ('5x5', (Conv(48), Conv(64, 5))),
    ('3x3_twice', twice),
  )
  return Spec(branches, pooled)


def _spec_17(filters: int) -> Spec:
  """Figure 6."""
  down, across = Conv(filters, _COLUMN), Conv(filters, _ROW)
  twice = (Conv(filters), down, across, down, Conv(192, _ROW))
  branches = (
    ('1x1', (Conv(192),)),
    ('7x7', (Conv(filters), across, Conv(192, _COLUMN))),
    ('7x7_twice', twice),
  )
  return Spec(branches, 192)


# Figure 7.
_SPEC_8 = Spec(
  (
    ('1x1', (Conv(320),)),
    ('3x3', (Conv(384), _fork(384))),
    ('3x3_twice', (Conv(448), Conv(384, 3), _fork(384))),
  ),
  192,
)
# Figure 10: halve the images and widen them at the same time.
_SPEC_35_TO_17 = Spec(
  (
    ('3x3', (Conv(384, 3, 2),)),
    ('3x3_twice', (Conv(64), Conv(96, 3), Conv(96, 3, 2))),
  )
)
_SPEC_17_TO_8 = Spec(
  (
    ('3x3', (Conv(192), Conv(320, 3, 2))),
    (
      '7x7_3x3',
      (Conv(192), Conv(192, _ROW), Conv(192, _COLUMN), Conv(192, 3, 2)),
    ),
  )
)
# The sides are those of the maps of 299×299 pixels.
_BLOCKS = (
  *(_spec_35(pooled) for pooled in (32, 64, 64)),
  _SPEC_35_TO_17,
  *(_spec_17(filters) for filters in (128, 160, 160, 192)),
  _SPEC_17_TO_8,
  _SPEC_8,
  _SPEC_8,
)
_STEM = (
  Conv(32, 3, 2),
  Conv(32, 3, padded=False),
  Conv(64, 3),
  Conv(80),
  Conv(192, 3, padded=False),
)
# The stem's convolutions, counted from 1, that follow a max-pooling.
_POOLED_BEFORE = (4,)


def _apply(
  x: jax.Array,
  conv: Conv,
  *,
  train: bool,
  epsilon: float,
  dtype: jnp.dtype,
  name: str,
) -> jax.Array:
  """Convolution, batch norm and ReLU, as submodule `name` of the caller."""
  padded = conv.padded and conv.stride == 1
  x = layers.ConvNorm(
    conv.filters,
    conv.kernel,
    conv.stride,
    dtype=dtype,
    padding=None if padded else 'VALID',
    epsilon=epsilon,
    name=name,
  )(x, train=train)
  return nn.relu(x)


def _max_pool(x: jax.Array) -> jax.Array:
  return nn.max_pool(x, (3, 3), strides=(2, 2))


class Branch(nn.Module):
  """Convolutions one after another.

  Attributes:
    steps: see `Step`; 'conv2' is the second, and the halves of a fork are
      'conv2a' and 'conv2b'.
    epsilon: of the norms.
    dtype: of the computation.
  """

  steps: tuple[Step, ...]
  epsilon: float = 1e-3
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    common = {'train': train, 'epsilon': self.epsilon, 'dtype': self.dtype}
    for i, step in enumerate(self.steps, 1):
      if isinstance(step, Conv):
        x = _apply(x, step, name=f'conv{i}', **common)
      else:
        halves = [
          _apply(x, conv, name=f'conv{i}{letter}', **common)
          for letter, conv in zip('ab', step, strict=True)
        ]
        x = jnp.concatenate(halves, axis=-1)
    return x


class Block(nn.Module):
  """Branches side by side.

  Attributes:
    spec: the branches.
    epsilon: of the norms.
    dtype: of the computation.
  """

  spec: Spec
  epsilon: float = 1e-3
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    outputs = [
      Branch(steps, self.epsilon, self.dtype, name=name)(x, train=train)
      for name, steps in self.spec.branches
    ]
    if self.spec.pooled is None:
      outputs.append(_max_pool(x))
    else:
      # What lies outside the image counts as zeros, and is counted.
      means = nn.avg_pool(x, (3, 3), padding=((1, 1), (1, 1)))
      steps = (Conv(self.spec.pooled),)
      pool = Branch(steps, self.epsilon, self.dtype, name='pool')
      outputs.append(pool(means, train=train))
    return jnp.concatenate(outputs, axis=-1)


class InceptionV3(nn.Module):
  """Inception-v3, for images of 75×75 pixels or more, made for 299×299.

  Attributes:
    num_classes: outputs of the head.
    epsilon: of the norms.
    dropout_rate: of the features, before the head.
    dtype: of the computation; parameters and outputs are float32.
  """

  num_classes: int
  epsilon: float = 1e-3
  dropout_rate: float = 0.2
  dtype: jnp.dtype = jnp.float32

  def __post_init__(self):
    check_ranges(self, positive=('epsilon',), rates=('dropout_rate',))
    super().__post_init__()

  @nn.compact
  def __call__(
    self, x: jax.Array, *, train: bool = False
  ) -> tuple[jax.Array, jax.Array]:
    """Classifies images.

    Args:
      x: images [examples, height, width, channels].
      train: use the batch's statistics and dropout; needs the stream
        'dropout' for it and makes 'batch_stats' change.

    Returns:
      Logits [examples, classes] and features [examples, 2048], the pooled
      last block before dropout, both float32.

    Raises:
      UsageError: the image is too small.
    """
    height, width = x.shape[1:3]
    if min(height, width) < MIN_IMAGE_SIZE:
      raise errors.UsageError(
        f'InceptionV3: images must be {MIN_IMAGE_SIZE}×{MIN_IMAGE_SIZE} or '
        f'more, got {height}×{width}.'
      )
    common = {'epsilon': self.epsilon, 'dtype': self.dtype}
    for i, conv in enumerate(_STEM, 1):
      if i in _POOLED_BEFORE:
        x = _max_pool(x)
      x = _apply(x, conv, train=train, name=f'stem_conv{i}', **common)
    x = _max_pool(x)
    for i, spec in enumerate(_BLOCKS, 1):
      x = Block(spec, name=f'block{i}', **common)(x, train=train)
    features = jnp.mean(x, axis=(1, 2), dtype=jnp.float32)
    x = nn.Dropout(self.dropout_rate)(features, deterministic=not train)
    return layers.head(self.num_classes)(x), features

"""Inception-v3, without its auxiliary head.

Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, 'Rethinking the Inception
Architecture for Computer Vision' (CVPR 2016). Weights of Kurakin, Goodfellow
and Bengio, 'Adversarial Machine Learning at Scale' (ICLR 2017), can be loaded
too.
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

from overlap.core import errors
from overlap.models import inception_v3_spec, layers
from overlap.models.inception_v3_spec import Conv, Spec, Step
from overlap.models.options import check_ranges

# Smallest side of an image for which the final pooling has any pixels.
MIN_IMAGE_SIZE = 75


def _apply(
  x: jax.Array,
  conv: Conv,
  *,
  train: bool,
  epsilon: float,
  dtype: jnp.dtype,
  name: str,
) -> jax.Array:
  """Applies convolution, batch norm and ReLU, as submodule `name`."""
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
  """Sequence of convolutions.

  Attributes:
    steps: convolutions, see `inception_v3_spec.Step`; the second is named
      'conv2', and the halves of a fork 'conv2a' and 'conv2b'.
    epsilon: epsilon of the norms.
    dtype: dtype of the computation.
  """

  steps: tuple[Step, ...]
  epsilon: float = 1e-3
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    apply = functools.partial(
      _apply, train=train, epsilon=self.epsilon, dtype=self.dtype
    )
    for i, step in enumerate(self.steps, 1):
      if isinstance(step, Conv):
        x = apply(x, step, name=f'conv{i}')
      else:
        halves = [
          apply(x, conv, name=f'conv{i}{letter}')
          for letter, conv in zip('ab', step, strict=True)
        ]
        x = jnp.concatenate(halves, axis=-1)
    return x


class Block(nn.Module):
  """Parallel branches with concatenated outputs.

  Attributes:
    spec: specification of the branches.
    epsilon: epsilon of the norms.
    dtype: dtype of the computation.
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
      # The means include zeros outside the image.
      means = nn.avg_pool(x, (3, 3), padding=((1, 1), (1, 1)))
      steps = (Conv(self.spec.pooled),)
      pool = Branch(steps, self.epsilon, self.dtype, name='pool')
      outputs.append(pool(means, train=train))
    return jnp.concatenate(outputs, axis=-1)


class InceptionV3(nn.Module):
  """Inception-v3, for images of 75×75 pixels or more, designed for 299×299.

  Attributes:
    num_classes: outputs of the head.
    epsilon: epsilon of the norms.
    dropout_rate: dropout rate of the features, before the head.
    dtype: dtype of the computation; parameters and outputs are float32.
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
      train: whether to use the batch's statistics and dropout; requires the
        stream 'dropout' and updates 'batch_stats'.

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
    apply = functools.partial(
      _apply, train=train, epsilon=self.epsilon, dtype=self.dtype
    )
    for i, conv in enumerate(inception_v3_spec.STEM, 1):
      if i in inception_v3_spec.POOLED_BEFORE:
        x = _max_pool(x)
      x = apply(x, conv, name=f'stem_conv{i}')
    x = _max_pool(x)
    for i, spec in enumerate(inception_v3_spec.BLOCKS, 1):
      block = Block(spec, self.epsilon, self.dtype, name=f'block{i}')
      x = block(x, train=train)
    return layers.classify(x, self.num_classes, self.dropout_rate, train=train)

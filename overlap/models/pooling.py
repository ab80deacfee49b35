"""Pooling that does not alias.

Zhang, 'Making Convolutional Networks Shift-Invariant Again' (ICML 2019).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp


def blur_pool(x: jax.Array) -> jax.Array:
  """Halves images: each pixel kept is a weighted mean of 3×3 around it.

  The weights are those of (1, 2, 1) / 4 in both directions, and images are
  mirrored at their edges, without repeating these.

  Args:
    x: images [examples, height, width, channels], of at least 2×2 pixels.

  Returns:
    [examples, ceil(height / 2), ceil(width / 2), channels].
  """
  x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode='reflect')
  # The mean of two means of neighbours has these weights. A sum of slices has
  # them too, but XLA on CPUs takes minutes to compile it in front of a
  # DenseNet: it repeats the sum wherever the result is concatenated.
  return nn.avg_pool(nn.avg_pool(x, (2, 2)), (2, 2), strides=(2, 2))

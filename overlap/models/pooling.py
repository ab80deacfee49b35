"""Anti-aliased pooling.

Zhang, 'Making Convolutional Networks Shift-Invariant Again' (ICML 2019).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp


def blur_pool(x: jax.Array) -> jax.Array:
  """Blurs with a 3×3 filter and subsamples by two.

  The filter is (1, 2, 1) / 4 in both directions, and images are reflected at
  their edges without repeating the edge pixels.

  Args:
    x: images [examples, height, width, channels], of at least 2×2 pixels.

  Returns:
    [examples, ceil(height / 2), ceil(width / 2), channels].
  """
  x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode='reflect')
  # Two 2×2 means in a row have these weights. So does a sum of slices, but XLA
  # on CPUs takes minutes to compile it before a DenseNet, since it repeats the
  # sum wherever the result is concatenated.
  return nn.avg_pool(nn.avg_pool(x, (2, 2)), (2, 2), strides=(2, 2))

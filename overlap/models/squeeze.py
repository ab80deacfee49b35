"""Squeeze-and-excitation: weights for channels from the mean of the image.

Hu, Shen and Sun, 'Squeeze-and-Excitation Networks' (CVPR 2018).
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from overlap.models import layers


class SqueezeExcite(nn.Module):
  """Multiplies each channel by a number that depends on all channels' means.

  Attributes:
    filters: channels between its two 1×1 convolutions.
    activation: between them.
    gate: after them.
    dtype: dtype of the computation.
  """

  filters: int
  activation: Callable[[jax.Array], jax.Array] = nn.relu
  gate: Callable[[jax.Array], jax.Array] = nn.sigmoid
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    y = jnp.mean(x, axis=(1, 2), keepdims=True)
    for filters, name, act in (
      (self.filters, 'reduce', self.activation),
      (x.shape[-1], 'expand', self.gate),
    ):
      y = act(
        layers.Conv(filters, use_bias=True, dtype=self.dtype, name=name)(y)
      )
    return x * y

"""Squeeze-and-excitation: weights of channels from their means.

Hu, Shen and Sun, 'Squeeze-and-Excitation Networks' (CVPR 2018).
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from overlap.models import layers


class SqueezeExcite(nn.Module):
  """Multiplies each channel by a weight computed from all channels' means.

  Attributes:
    filters: channels between the two 1×1 convolutions.
    activation: activation between the convolutions.
    gate: activation that gives the weights.
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

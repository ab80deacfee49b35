"""Parts shared by the transformers: patches, attention, pre-norm blocks.

Vaswani et al., 'Attention Is All You Need' (NeurIPS 2017), with norms before
each part as in Dosovitskiy et al., 'An Image is Worth 16x16 Words' (ICLR 2021).
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from overlap.core import errors


def quick_gelu(x: jax.Array) -> jax.Array:
  """Returns x·sigmoid(1.702·x), the approximation of GELU used by CLIP."""
  return x * nn.sigmoid(1.702 * x)


def exact_gelu(x: jax.Array) -> jax.Array:
  """Returns GELU without approximation."""
  return nn.gelu(x, approximate=False)


ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
  'gelu': exact_gelu,
  'gelu_tanh': nn.gelu,
  'quick_gelu': quick_gelu,
}

INIT_DEVIATION = 0.02
init = nn.initializers.truncated_normal(INIT_DEVIATION)


def dense(
  features: int, dtype: jnp.dtype, name: str, *, use_bias: bool = True
) -> nn.Dense:
  """Returns a dense layer with the initialiser of transformers."""
  return nn.Dense(
    features, use_bias=use_bias, kernel_init=init, dtype=dtype, name=name
  )


def norm(dtype: jnp.dtype, name: str, epsilon: float = 1e-6) -> nn.LayerNorm:
  """Returns layer normalisation."""
  return nn.LayerNorm(epsilon=epsilon, dtype=dtype, name=name)


def embed_tokens(
  module: nn.Module, tokens: jax.Array, size: int
) -> tuple[jax.Array, jax.Array]:
  """Returns a text tower's token and position embeddings, not yet added.

  Must be called in the compact method of `module`, which has the fields
  `vocab_size`, `context_length` and `dtype`, and gets the parameters `embed`
  and `positions`.

  Args:
    module: module of the text tower.
    tokens: int [texts, tokens].
    size: size of the embeddings.

  Returns:
    Embeddings [texts, tokens, size] in `dtype`, and positions
    [1, tokens, size], float32.

  Raises:
    UsageError: the texts are longer than `context_length`.
  """
  length = tokens.shape[1]
  if length > module.context_length:
    raise errors.UsageError(
      f'{type(module).__name__}: texts must have at most '
      f'{module.context_length} tokens, got {length}.'
    )
  embed = nn.Embed(
    module.vocab_size,
    size,
    embedding_init=init,
    dtype=module.dtype,
    name='embed',
  )
  shape = (1, module.context_length, size)
  positions = module.param('positions', init, shape)[:, :length]
  return embed(tokens), positions


def to_patches(x: jax.Array, size: int, model: str) -> jax.Array:
  """Cuts images into square patches, row by row.

  Args:
    x: [examples, height, width, channels].
    size: side of the patches.
    model: name of the model in error messages.

  Returns:
    [examples, patches, size·size·channels], whose product with a kernel is a
    convolution with stride `size`.

  Raises:
    UsageError: a side of the images is not a multiple of `size`.
  """
  examples, height, width, channels = x.shape
  if height % size or width % size or not height * width:
    raise errors.UsageError(
      f'{model}: images must be of whole patches of {size}×{size} pixels, got '
      f'{height}×{width}. Set input.size or patch_size.'
    )
  patches = x.reshape(
    examples, height // size, size, width // size, size, channels
  )
  return patches.transpose(0, 1, 3, 2, 4, 5).reshape(
    examples, -1, size * size * channels
  )


class Attention(nn.Module):
  """Self-attention.

  Attributes:
    num_heads: number of heads that share the hidden size.
    causal: whether tokens attend only to themselves and earlier tokens.
    dtype: dtype of the computation; the softmax is float32.
  """

  num_heads: int
  causal: bool = False
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, mask: jax.Array | None = None) -> jax.Array:
    """Applies self-attention.

    Args:
      x: tokens [examples, tokens, size].
      mask: bool [examples, tokens], true for tokens that may be attended to;
        None for all.
    """
    examples, tokens, size = x.shape
    # One product for queries, keys and values, in this order.
    qkv = dense(3 * size, self.dtype, 'qkv')(x).reshape(
      examples, tokens, 3, self.num_heads, size // self.num_heads
    )
    x = jax.nn.dot_product_attention(
      qkv[:, :, 0],
      qkv[:, :, 1],
      qkv[:, :, 2],
      mask=None if mask is None else mask[:, None, None],
      is_causal=self.causal,
    )
    return dense(size, self.dtype, 'out')(x.reshape(examples, tokens, size))


class Block(nn.Module):
  """Pre-norm residual block of attention and a multilayer perceptron.

  Attributes:
    num_heads: number of heads of the attention.
    mlp_size: units of the hidden layer.
    dropout_rate: dropout rate after each dense layer except the one before the
      attention.
    drop_path_rate: probability of skipping each of the two parts for an example
      in training.
    activation: key of `ACTIVATIONS`.
    epsilon: epsilon of the norms.
    causal: whether tokens attend only to themselves and earlier tokens.
    dtype: dtype of the computation.
  """

  num_heads: int
  mlp_size: int
  dropout_rate: float = 0.0
  drop_path_rate: float = 0.0
  activation: str = 'gelu'
  epsilon: float = 1e-6
  causal: bool = False
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    drop = nn.Dropout(self.dropout_rate, deterministic=not train)
    drop_path = nn.Dropout(
      self.drop_path_rate, broadcast_dims=(1, 2), deterministic=not train
    )
    attention = Attention(
      self.num_heads, self.causal, self.dtype, name='attention'
    )
    y = norm(self.dtype, 'norm1', self.epsilon)(x)
    x = x + drop_path(drop(attention(y)))
    y = norm(self.dtype, 'norm2', self.epsilon)(x)
    y = dense(self.mlp_size, self.dtype, 'mlp1')(y)
    y = drop(ACTIVATIONS[self.activation](y))
    y = drop(dense(x.shape[-1], self.dtype, 'mlp2')(y))
    return x + drop_path(y)

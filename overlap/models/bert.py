"""BERT as a text tower, whose features are the projected first token.

Devlin et al., 'BERT: Pre-training of Deep Bidirectional Transformers for
Language Understanding' (NAACL 2019), the text tower of ALIGN (see `align`).
The default is BERT-Base with ALIGN's projection.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from overlap.models import clip, transformer
from overlap.models.options import check_ranges

_EPSILON = 1e-12  # Added to the variance in all norms.


class Block(nn.Module):
  """Post-norm block of attention and a multilayer perceptron.

  Attributes:
    num_heads: number of heads of the attention.
    mlp_size: units of the hidden layer.
    activation: key of `transformer.ACTIVATIONS`.
    dtype: dtype of the computation.
  """

  num_heads: int
  mlp_size: int
  activation: str = 'gelu'
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, mask: jax.Array | None) -> jax.Array:
    attention = transformer.Attention(
      self.num_heads, dtype=self.dtype, name='attention'
    )
    x = transformer.norm(self.dtype, 'norm1', _EPSILON)(x + attention(x, mask))
    y = transformer.dense(self.mlp_size, self.dtype, 'mlp1')(x)
    y = transformer.ACTIVATIONS[self.activation](y)
    y = transformer.dense(x.shape[-1], self.dtype, 'mlp2')(y)
    return transformer.norm(self.dtype, 'norm2', _EPSILON)(x + y)


class BERTText(nn.Module):
  """BERT encoder from texts to features.

  Attributes:
    vocab_size: number of tokens in the vocabulary.
    context_length: maximal number of tokens of a text.
    types: number of segment types; all tokens have the first.
    hidden_size: size of the tokens.
    depth: number of blocks.
    num_heads: number of heads of each attention; divides `hidden_size`.
    mlp_ratio: hidden units of the perceptrons, as a factor of `hidden_size`.
    projection_size: size of the features that are compared with images.
    activation: key of `transformer.ACTIVATIONS`.
    dtype: dtype of the computation; parameters and outputs are float32.
  """

  vocab_size: int = 30522
  context_length: int = 512
  types: int = 2
  hidden_size: int = 768
  depth: int = 12
  num_heads: int = 12
  mlp_ratio: float = 4.0
  projection_size: int = 640
  activation: str = 'gelu'
  dtype: jnp.dtype = jnp.float32

  def __post_init__(self):
    clip.check_tower(self)
    positive = ('vocab_size', 'context_length', 'types')
    check_ranges(self, positive=positive, rates=())
    super().__post_init__()

  @nn.compact
  def __call__(
    self, tokens: jax.Array, mask: jax.Array | None = None
  ) -> jax.Array:
    """Encodes texts.

    Args:
      tokens: int [texts, tokens].
      mask: bool [texts, tokens], false for padding; None without padding.

    Returns:
      float32 [texts, projection_size], not normalised.

    Raises:
      UsageError: the texts are longer than `context_length`.
    """
    size = self.hidden_size
    x, positions = transformer.embed_tokens(self, tokens, size)
    types = self.param('types', transformer.init, (self.types, size))
    positions = positions + types[None, :1]
    x = x + positions.astype(self.dtype)
    x = transformer.norm(self.dtype, 'norm', _EPSILON)(x)
    for i in range(self.depth):
      x = Block(
        self.num_heads,
        round(size * self.mlp_ratio),
        self.activation,
        self.dtype,
        name=f'block{i + 1}',
      )(x, mask)
    x = transformer.dense(self.projection_size, self.dtype, 'projection')(
      x[:, 0]
    )
    return x.astype(jnp.float32)

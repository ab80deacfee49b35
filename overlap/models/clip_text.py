"""CLIP's text tower: a causal transformer with features at the end token.

Radford et al., 'Learning Transferable Visual Models From Natural Language
Supervision' (ICML 2021). The default is the tower of ViT-B/32; ViT-L/14's has
`hidden_size` 768, `num_heads` 12 and `projection_size` 768.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from overlap.models import clip, transformer
from overlap.models.options import check_ranges, require


class CLIPText(nn.Module):
  """CLIP's encoder from texts to features.

  Attributes:
    vocab_size: number of tokens in the vocabulary.
    context_length: maximal number of tokens of a text.
    hidden_size: size of the tokens.
    depth: number of blocks.
    num_heads: number of heads of each attention; divides `hidden_size`.
    mlp_ratio: hidden units of the perceptrons, as a factor of `hidden_size`.
    projection_size: size of the features that are compared with images.
    activation: 'quick_gelu' or 'gelu'.
    end_token: token that ends a text; features are those at its first
      position. Tokens after it are padding without effect.
    dtype: dtype of the computation; parameters and outputs are float32.
  """

  vocab_size: int = 49408
  context_length: int = 77
  hidden_size: int = 512
  depth: int = 12
  num_heads: int = 8
  mlp_ratio: float = 4.0
  projection_size: int = 512
  activation: str = 'quick_gelu'
  end_token: int = 49407
  dtype: jnp.dtype = jnp.float32

  def __post_init__(self):
    clip.check_tower(self)
    check_ranges(self, positive=('vocab_size', 'context_length'), rates=())
    require(
      0 <= self.end_token < self.vocab_size,
      self,
      'end_token',
      f'one of the {self.vocab_size} tokens',
    )
    super().__post_init__()

  @nn.compact
  def __call__(
    self, tokens: jax.Array, mask: jax.Array | None = None
  ) -> jax.Array:
    """Encodes texts.

    Args:
      tokens: int [texts, tokens], each with an `end_token`.
      mask: ignored, since no token attends to the padding after it; present
        for the common interface of text towers.

    Returns:
      float32 [texts, projection_size], not normalised.

    Raises:
      UsageError: the texts are longer than `context_length`.
    """
    del mask
    x, positions = transformer.embed_tokens(self, tokens, self.hidden_size)
    x = x + positions.astype(self.dtype)
    for i in range(self.depth):
      x = transformer.Block(
        self.num_heads,
        round(self.hidden_size * self.mlp_ratio),
        activation=self.activation,
        epsilon=clip.EPSILON,
        causal=True,
        dtype=self.dtype,
        name=f'block{i + 1}',
      )(x, train=False)
    end = jnp.argmax(tokens == self.end_token, axis=1)
    x = jnp.take_along_axis(x, end[:, None, None], axis=1)[:, 0]
    x = transformer.norm(self.dtype, 'norm', clip.EPSILON)(x)
    x = transformer.dense(
      self.projection_size, self.dtype, 'projection', use_bias=False
    )(x)
    return x.astype(jnp.float32)

"""Vision transformers, and DeiT's with a distillation token.

Dosovitskiy et al., 'An Image is Worth 16x16 Words' (ICLR 2021); Touvron et
al., 'Training data-efficient image transformers & distillation through
attention' (ICML 2021). The default is ViT-B/16; DeiT-Ti has `hidden_size` 192
and `num_heads` 3, `distilled`. ViT-H/14 has `patch_size` 14, `hidden_size`
1280, `depth` 32 and `num_heads` 16; ViT-G/14 of Zhai et al., 'Scaling Vision
Transformers' (CVPR 2022), `hidden_size` 1664, `depth` 48 and `mlp_ratio`
8192 / 1664, with the same patches and heads.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from overlap.core import lookup
from overlap.models import layers, transformer
from overlap.models.options import check_ranges, require
from overlap.models.transformer import Block

# 'token': the class token; 'gap': the mean over the patches, without a class
# token; 'gap_with_token': the mean over the patches, with a class token.
POOLS = ('token', 'gap', 'gap_with_token')


class ViT(nn.Module):
  """Vision transformer, for images of any sides divisible by `patch_size`.

  Attributes:
    num_classes: outputs of each head.
    patch_size: side of the patches.
    hidden_size: size of the tokens.
    depth: number of blocks.
    num_heads: number of heads of each attention; divides `hidden_size`.
    mlp_ratio: hidden units of the perceptrons, as a factor of `hidden_size`.
    pool: one of `POOLS`.
    fc_norm: whether to normalise after pooling instead of before, as in
      fine-tuned models of MAE and BEiT and timm's with global average pooling.
    registers: number of further tokens that take part in the attention and are
      not pooled.
    activation: activation of the perceptrons, key of `transformer.ACTIVATIONS`:
      'gelu_tanh', an approximation used by ViT's authors, or the exact 'gelu'
      of most other weights.
    epsilon: constant added to the variance in all norms.
    distilled: whether to add DeiT's distillation token and its head
      `head_dist`.
    dropout_rate: dropout rate of the embedded patches and in the blocks.
    drop_path_rate: probability of skipping a part of the last block for an
      example in training; rises linearly from 0 in the first block.
    dtype: dtype of the computation; parameters and outputs are float32.
  """

  num_classes: int
  patch_size: int = 16
  hidden_size: int = 768
  depth: int = 12
  num_heads: int = 12
  mlp_ratio: float = 4.0
  pool: str = 'token'
  fc_norm: bool = False
  registers: int = 0
  activation: str = 'gelu'
  epsilon: float = 1e-6
  distilled: bool = False
  dropout_rate: float = 0.0
  drop_path_rate: float = 0.0
  dtype: jnp.dtype = jnp.float32

  def __post_init__(self):
    lookup.check_choice('way to pool of ViT', self.pool, POOLS)
    lookup.check_choice(
      'activation of ViT', self.activation, transformer.ACTIVATIONS
    )
    require(
      not self.distilled or (self.pool == 'token' and not self.fc_norm),
      self,
      'distilled',
      "False unless pool='token' and fc_norm=False",
    )
    check_ranges(
      self,
      positive=('patch_size', 'hidden_size', 'depth', 'num_heads', 'mlp_ratio')
      + ('epsilon',),
      rates=('dropout_rate', 'drop_path_rate'),
    )
    require(self.registers >= 0, self, 'registers', '0 or more')
    require(
      self.hidden_size % self.num_heads == 0,
      self,
      'num_heads',
      f'a divisor of hidden_size={self.hidden_size}',
    )
    super().__post_init__()

  @nn.compact
  def __call__(
    self, x: jax.Array, *, train: bool = False
  ) -> tuple[jax.Array, jax.Array]:
    """Classifies images.

    Args:
      x: images [examples, height, width, channels].
      train: whether to use dropout, which requires the stream 'dropout', and
        with `distilled`, whether to sow each head's logits in the collection
        'heads' as 'class' and 'distillation', if that is mutable.

    Returns:
      Logits [examples, classes] and features [examples, hidden_size], both
      float32. Features are the final class token, or the mean over patches,
      normalised in either case. With `distilled`, logits are the mean of both
      heads' logits and features the mean of both final tokens; if both heads
      are equal, the logits are the head's output for these features.

    Raises:
      UsageError: a side of the images is not a multiple of `patch_size`.
    """
    x = self._embed(x)
    x = nn.Dropout(self.dropout_rate)(x, deterministic=not train)
    for i in range(self.depth):
      x = Block(
        self.num_heads,
        round(self.hidden_size * self.mlp_ratio),
        self.dropout_rate,
        self.drop_path_rate * i / max(self.depth - 1, 1),
        activation=self.activation,
        epsilon=self.epsilon,
        dtype=self.dtype,
        name=f'block{i + 1}',
      )(x, train=train)
    head = layers.head(self.num_classes)
    if not self.distilled:
      features = self._pool(x)
      return head(features), features
    x = self._norm('norm')(x).astype(jnp.float32)
    of_class = head(x[:, 0])
    of_teacher = layers.head(self.num_classes, 'head_dist')(x[:, 1])
    if train and not self.is_initializing():
      self.sow('heads', 'class', of_class)
      self.sow('heads', 'distillation', of_teacher)
    return (of_class + of_teacher) / 2, (x[:, 0] + x[:, 1]) / 2

  def _norm(self, name: str) -> nn.LayerNorm:
    return transformer.norm(self.dtype, name, self.epsilon)

  def _num_tokens(self) -> int:
    """Returns the number of tokens before the patches."""
    read = 0 if self.pool == 'gap' else 1 + self.distilled
    return read + self.registers

  def _pool(self, x: jax.Array) -> jax.Array:
    """Pools tokens [examples, tokens, D] to features [examples, D]."""
    if not self.fc_norm:
      x = self._norm('norm')(x)
    x = x.astype(jnp.float32)
    if self.pool == 'token':
      x = x[:, 0]
    else:
      x = jnp.mean(x[:, self._num_tokens() :], axis=1)
    if self.fc_norm:
      x = self._norm('fc_norm')(x).astype(jnp.float32)
    return x

  def _embed(self, x: jax.Array) -> jax.Array:
    """Embeds images [examples, height, width, channels] as tokens."""
    patches = transformer.to_patches(x, self.patch_size, 'ViT')
    x = transformer.dense(self.hidden_size, self.dtype, 'embed')(patches)
    extra = self._num_tokens()
    if extra:
      shape = (1, extra, self.hidden_size)
      tokens = self.param('tokens', transformer.init, shape)
      tokens = jnp.broadcast_to(
        tokens.astype(x.dtype), (len(x), extra, self.hidden_size)
      )
      x = jnp.concatenate([tokens, x], axis=1)
    positions = self.param('positions', transformer.init, (1, *x.shape[1:]))
    return x + positions.astype(x.dtype)

"""CLIP's image tower as a classifier: a vision transformer with a projection.

Radford et al., 'Learning Transferable Visual Models From Natural Language
Supervision' (ICML 2021). The default is ViT-B/32; ViT-L/14 has `patch_size`
14, `hidden_size` 1024, `depth` 24, `num_heads` 16 and `projection_size` 768.
The text tower is in `clip_text`.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from overlap.core import lookup
from overlap.models import layers, transformer
from overlap.models.options import check_ranges, require

# Normalisation of images in [0, 1] for the released weights.
IMAGE_MEAN = (0.48145466, 0.4578275, 0.40821073)
IMAGE_STD = (0.26862954, 0.26130258, 0.27577711)

REPRESENTATIONS = ('projected', 'pooled')
EPSILON = 1e-5  # Added to the variance in all norms.


def check_tower(module: nn.Module) -> None:
  """Checks the fields that the image and the text tower share.

  Raises:
    UsageError: the activation is unknown, or a size is invalid.
  """
  kind = type(module).__name__
  lookup.check_choice(
    f'activation of {kind}', module.activation, transformer.ACTIVATIONS
  )
  check_ranges(
    module,
    positive=('hidden_size', 'depth', 'num_heads', 'projection_size'),
    rates=(),
  )
  require(module.mlp_ratio > 0, module, 'mlp_ratio', 'positive')
  require(
    module.hidden_size % module.num_heads == 0,
    module,
    'num_heads',
    f'a divisor of hidden_size={module.hidden_size}',
  )


def normalise(features: jax.Array) -> jax.Array:
  """Returns features [..., D] scaled to unit length."""
  squares = jnp.sum(jnp.square(features), axis=-1, keepdims=True)
  return features * jax.lax.rsqrt(jnp.maximum(squares, 1e-24))


class ImageTower(nn.Module):
  """CLIP's image tower; for the attributes see `CLIP`."""

  patch_size: int = 32
  hidden_size: int = 768
  depth: int = 12
  num_heads: int = 12
  mlp_ratio: float = 4.0
  projection_size: int = 512
  activation: str = 'quick_gelu'
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(
    self, x: jax.Array, *, train: bool = False
  ) -> tuple[jax.Array, jax.Array]:
    """Encodes images [examples, height, width, channels].

    Returns:
      Projected features [examples, projection_size], not normalised, and pooled
      features [examples, hidden_size], the final class token before the
      projection, both float32.

    Raises:
      UsageError: a side of the images is not a multiple of `patch_size`.
    """
    patches = transformer.to_patches(x, self.patch_size, 'CLIP')
    x = transformer.dense(
      self.hidden_size, self.dtype, 'embed', use_bias=False
    )(patches)
    token = self.param('token', transformer.init, (1, 1, self.hidden_size))
    token = jnp.broadcast_to(token.astype(x.dtype), (len(x), 1, x.shape[-1]))
    x = jnp.concatenate([token, x], axis=1)
    positions = self.param('positions', transformer.init, (1, *x.shape[1:]))
    x = x + positions.astype(x.dtype)
    x = transformer.norm(self.dtype, 'norm_pre', EPSILON)(x)
    for i in range(self.depth):
      x = transformer.Block(
        self.num_heads,
        round(self.hidden_size * self.mlp_ratio),
        activation=self.activation,
        epsilon=EPSILON,
        dtype=self.dtype,
        name=f'block{i + 1}',
      )(x, train=train)
    pooled = transformer.norm(self.dtype, 'norm', EPSILON)(x[:, 0])
    projected = transformer.dense(
      self.projection_size, self.dtype, 'projection', use_bias=False
    )(pooled)
    return projected.astype(jnp.float32), pooled.astype(jnp.float32)


class CLIP(nn.Module):
  """CLIP's image tower and a linear classifier.

  Sides of the images must be multiples of the patch size.

  Attributes:
    num_classes: outputs of the head.
    patch_size: side of the patches.
    hidden_size: size of the tokens.
    depth: number of blocks.
    num_heads: number of heads of each attention; divides `hidden_size`.
    mlp_ratio: hidden units of the perceptrons, as a factor of `hidden_size`.
    projection_size: size of the features that are compared with texts.
    activation: 'quick_gelu' for OpenAI's weights, or 'gelu' for many later
      ones.
    representation: 'projected' for the projected features of unit length, as
      for a zero-shot head; 'pooled' for those before the projection, on which
      the authors fit linear probes. The projection is among the parameters in
      both cases, as in released weights.
    dtype: dtype of the computation; parameters and outputs are float32.
  """

  num_classes: int
  patch_size: int = 32
  hidden_size: int = 768
  depth: int = 12
  num_heads: int = 12
  mlp_ratio: float = 4.0
  projection_size: int = 512
  activation: str = 'quick_gelu'
  representation: str = 'projected'
  dtype: jnp.dtype = jnp.float32

  def __post_init__(self):
    check_tower(self)
    require(self.patch_size > 0, self, 'patch_size', 'positive')
    lookup.check_choice(
      'representation of CLIP', self.representation, REPRESENTATIONS
    )
    super().__post_init__()

  @nn.compact
  def __call__(
    self, x: jax.Array, *, train: bool = False
  ) -> tuple[jax.Array, jax.Array]:
    """Classifies images.

    Args:
      x: images [examples, height, width, channels].
      train: ignored, since there is no dropout.

    Returns:
      Logits [examples, classes] and features, see `representation`, both
      float32.

    Raises:
      UsageError: a side of the images is not a multiple of `patch_size`.
    """
    projected, pooled = ImageTower(
      patch_size=self.patch_size,
      hidden_size=self.hidden_size,
      depth=self.depth,
      num_heads=self.num_heads,
      mlp_ratio=self.mlp_ratio,
      projection_size=self.projection_size,
      activation=self.activation,
      dtype=self.dtype,
      name='image',
    )(x, train=train)
    unit = normalise(projected)
    features = unit if self.representation == 'projected' else pooled
    return layers.head(self.num_classes)(features), features

"""ALIGN's image tower as a classifier: an EfficientNet without its last layer.

Jia et al., 'Scaling Up Visual and Vision-Language Representation Learning With
Noisy Text Supervision' (ICML 2021). Its own weights are private; the default
is the tower of Kakao Brain's reproduction (2023), an EfficientNet-B7 that ends
with its last block. The text tower is in `bert`.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from overlap import lookup
from overlap.models import clip, inverted_residuals, layers
from overlap.models.inverted_residuals import BlockSpec
from overlap.models.options import check_ranges, require

_EPSILON = 1e-3
_STEM_FILTERS = 32
_SQUEEZE = 0.25  # Hidden units of squeeze-and-excite, of a block's input.


class SqueezeExcite(nn.Module):
  """Weights each channel by what all of them are on average.

  Attributes:
    hidden_size: units between.
    dtype: of the computation.
  """

  hidden_size: int
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    y = jnp.mean(x, axis=(1, 2), keepdims=True)
    y = layers.Conv(
      self.hidden_size, dtype=self.dtype, use_bias=True, name='reduce'
    )(y)
    y = layers.Conv(
      x.shape[-1], dtype=self.dtype, use_bias=True, name='expand'
    )(nn.swish(y))
    return x * nn.sigmoid(y)


class Block(nn.Module):
  """Inverted residual with squeeze-and-excite.

  Attributes:
    spec: sizes of the block.
    symmetric: pad alike on all sides at stride 2, and not less at the start.
    drop_rate: probability of leaving the block out for an example in training.
    dtype: of the computation.
  """

  spec: BlockSpec
  symmetric: bool = False
  drop_rate: float = 0.0
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    spec, before = self.spec, x
    if spec.expansion != 1:
      filters = x.shape[-1] * spec.expansion
      x = nn.swish(self._product(filters, 'expand')(x, train=train))
    padding = None
    if spec.stride == 2:
      half, padding = spec.kernel // 2, 0
      start = half if self.symmetric else half - 1
      x = jnp.pad(x, ((0, 0), (start, half), (start, half), (0, 0)))
    x = inverted_residuals.DepthwiseNorm(
      spec.kernel,
      spec.stride,
      self.dtype,
      padding,
      _EPSILON,
      name='depthwise',
    )(x, train=train)
    hidden = max(1, int(before.shape[-1] * _SQUEEZE))
    x = SqueezeExcite(hidden, self.dtype, name='squeeze')(nn.swish(x))
    x = self._product(spec.filters, 'project')(x, train=train)
    if x.shape != before.shape:
      return x
    x = nn.Dropout(self.drop_rate, broadcast_dims=(1, 2, 3))(
      x, deterministic=not train
    )
    return x + before

  def _product(self, filters: int, name: str) -> nn.Module:
    return layers.ConvNorm(
      filters, dtype=self.dtype, epsilon=_EPSILON, name=name
    )


class ImageTower(nn.Module):
  """Images to features. For the attributes see `ALIGN`."""

  width: float = 2.0
  depth: float = 3.1
  symmetric_blocks: tuple[int, ...] = ()
  drop_path_rate: float = 0.2
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
    """Images [examples, height, width, channels] to float32 [examples, D]."""
    x = jnp.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)))
    x = layers.ConvNorm(
      inverted_residuals.scale_filters(_STEM_FILTERS, self.width),
      kernel=3,
      stride=2,
      dtype=self.dtype,
      padding='VALID',
      epsilon=_EPSILON,
      name='stem',
    )(x, train=train)
    x = nn.swish(x)
    specs = inverted_residuals.block_specs(
      self.width, self.depth, fixed_ends=False
    )
    for i, spec in enumerate(specs):
      x = Block(
        spec,
        i in self.symmetric_blocks,
        self.drop_path_rate * i / len(specs),
        self.dtype,
        name=f'block{i}',
      )(x, train=train)
    return jnp.mean(x, axis=(1, 2), dtype=jnp.float32)


class ALIGN(nn.Module):
  """ALIGN's image tower and a linear classifier, for images of any size.

  Attributes:
    num_classes: outputs of the head.
    width: factor of the blocks' filters.
    depth: factor of the blocks' number.
    symmetric_blocks: those, counted from 0, that at stride 2 pad alike on all
      sides. The others pad one pixel less at the start, whatever the size of
      the image: a released model's config lists them for its own size, as
      `depthwise_padding`.
    representation: 'projected': features are of unit length, as a zero-shot
      head reads them; 'pooled': as they are pooled. There is no projection on
      the side of the images.
    drop_path_rate: probability of leaving out the last block in training; it
      rises linearly from 0 at the first.
    dtype: of the convolutions; parameters and outputs are float32.
  """

  num_classes: int
  width: float = 2.0
  depth: float = 3.1
  symmetric_blocks: tuple[int, ...] = ()
  representation: str = 'projected'
  drop_path_rate: float = 0.2
  dtype: jnp.dtype = jnp.float32

  def __post_init__(self):
    check_ranges(self, positive=('width', 'depth'), rates=('drop_path_rate',))
    require(
      min(self.symmetric_blocks, default=0) >= 0,
      self,
      'symmetric_blocks',
      'numbers of blocks, counted from 0',
    )
    lookup.check(
      'representation of ALIGN', self.representation, clip.REPRESENTATIONS
    )
    super().__post_init__()

  @nn.compact
  def __call__(
    self, x: jax.Array, *, train: bool = False
  ) -> tuple[jax.Array, jax.Array]:
    """Classifies images.

    Args:
      x: images [examples, height, width, channels].
      train: use the batch's statistics and stochastic depth; needs the stream
        'dropout' and makes 'batch_stats' change.

    Returns:
      Logits [examples, classes] and features, see `representation`, both
      float32.
    """
    features = ImageTower(
      self.width,
      self.depth,
      self.symmetric_blocks,
      self.drop_path_rate,
      self.dtype,
      name='image',
    )(x, train=train)
    if self.representation == 'projected':
      features = clip.normalise(features)
    return layers.head(self.num_classes)(features), features

"""EfficientNet: inverted residuals with squeeze-and-excite and swish.

Tan and Le, 'EfficientNet: Rethinking Model Scaling for Convolutional Neural
Networks' (ICML 2019). The defaults are for weights trained in PyTorch; weights
from TensorFlow need padding='same' and epsilon=1e-3.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from overlap.core import lookup
from overlap.models import layers, squeeze
from overlap.models.inverted_residuals import (
  BlockSpec,
  DepthwiseNorm,
  Variant,
  block_specs,
  scale_filters,
)
from overlap.models.options import check_ranges, require

# 'half': half of the kernel on all sides; 'same': TensorFlow's SAME; 'end': at
# stride 2, one pixel less at the top and left than at the bottom and right, as
# SAME has it at even sizes only.
PADDINGS = ('half', 'same', 'end')

VARIANTS = {
  0: Variant(width=1.0, depth=1.0, image_size=224, dropout_rate=0.2),
  1: Variant(width=1.0, depth=1.1, image_size=240, dropout_rate=0.2),
  2: Variant(width=1.1, depth=1.2, image_size=260, dropout_rate=0.3),
  3: Variant(width=1.2, depth=1.4, image_size=300, dropout_rate=0.3),
  4: Variant(width=1.4, depth=1.8, image_size=380, dropout_rate=0.4),
  5: Variant(width=1.6, depth=2.2, image_size=456, dropout_rate=0.4),
  6: Variant(width=1.8, depth=2.6, image_size=528, dropout_rate=0.5),
  7: Variant(width=2.0, depth=3.1, image_size=600, dropout_rate=0.5),
}

_STEM_FILTERS = 32
_TOP_FILTERS = 1280
# Hidden units of squeeze-and-excite per input channel of the block.
_SQUEEZE_RATIO = 0.25


class Block(nn.Module):
  """Inverted residual block with squeeze-and-excite.

  Attributes:
    spec: sizes of the block.
    padding: one of `PADDINGS`.
    epsilon: epsilon of the norms.
    drop_rate: probability of skipping the block for an example in training.
    dtype: dtype of the computation.
  """

  spec: BlockSpec
  padding: str = 'half'
  epsilon: float = 1e-5
  drop_rate: float = 0.0
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    spec, before = self.spec, x
    common = {'dtype': self.dtype, 'epsilon': self.epsilon}
    inner = before.shape[-1] * spec.expansion
    if spec.expansion != 1:
      expand = layers.ConvNorm(inner, name='expand', **common)
      x = nn.swish(expand(x, train=train))
    x, padding = _padded(x, spec.kernel, spec.stride, self.padding)
    filtered = DepthwiseNorm(
      spec.kernel, spec.stride, padding=padding, name='depthwise', **common
    )(x, train=train)
    units = max(1, int(before.shape[-1] * _SQUEEZE_RATIO))
    x = squeeze.SqueezeExcite(
      units, nn.swish, dtype=self.dtype, name='squeeze'
    )(nn.swish(filtered))
    project = layers.ConvNorm(spec.filters, name='project', **common)
    x = project(x, train=train)
    if x.shape != before.shape:
      return x
    x = nn.Dropout(self.drop_rate, broadcast_dims=(1, 2, 3))(
      x, deterministic=not train
    )
    return x + before


class Trunk(nn.Module):
  """EfficientNet without its head: images to features.

  Attributes:
    width: factor of all filters, which are then rounded to multiples of 8.
    depth: factor of the number of blocks in each stage, rounded up.
    padding: one of `PADDINGS`.
    epsilon: epsilon of the norms.
    top: whether to end with a 1×1 convolution to `width` times 1,280 channels;
      else features are the pooled output of the last block.
    drop_path_rate: probability of skipping the last block in training; rises
      linearly from 0 at the first block.
    dtype: dtype of the computation; parameters and features are float32.
  """

  width: float = 1.0
  depth: float = 1.0
  padding: str = 'half'
  epsilon: float = 1e-5
  top: bool = True
  drop_path_rate: float = 0.0
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
    """Returns features [examples, D] of images, see `EfficientNet`."""
    common = {'dtype': self.dtype, 'epsilon': self.epsilon}
    filters = scale_filters(_STEM_FILTERS, self.width)
    x, padding = _padded(x, 3, 2, self.padding)
    stem = layers.ConvNorm(
      filters,
      3,
      2,
      padding='SAME' if padding is None else padding,
      name='stem',
      **common,
    )
    x = nn.swish(stem(x, train=train))
    specs = block_specs(self.width, self.depth, fixed_ends=False)
    for i, spec in enumerate(specs):
      x = Block(
        spec,
        self.padding,
        drop_rate=self.drop_path_rate * i / len(specs),
        name=f'block{i + 1}',
        **common,
      )(x, train=train)
    if self.top:
      filters = scale_filters(_TOP_FILTERS, self.width)
      top = layers.ConvNorm(filters, name='top', **common)
      x = nn.swish(top(x, train=train))
    return jnp.mean(x, axis=(1, 2), dtype=jnp.float32)


class EfficientNet(nn.Module):
  """EfficientNet, for images of any size and number of channels.

  Attributes:
    num_classes: outputs of the head.
    variant: key of `VARIANTS`, B0 to B7, with 5.29, 7.79, 9.11, 12.23, 19.34,
      30.39, 43.04 and 66.35 million parameters for 1,000 classes.
    padding: one of `PADDINGS`.
    epsilon: epsilon of the norms.
    drop_path_rate: probability of skipping the last block in training; rises
      linearly from 0 at the first block.
    dtype: dtype of the computation; parameters and outputs are float32.
  """

  num_classes: int
  variant: int = 0
  padding: str = 'half'
  epsilon: float = 1e-5
  drop_path_rate: float = 0.2
  dtype: jnp.dtype = jnp.float32

  def __post_init__(self):
    choices = ', '.join(map(str, VARIANTS))
    require(self.variant in VARIANTS, self, 'variant', f'one of {choices}')
    lookup.check_choice('padding of EfficientNet', self.padding, PADDINGS)
    check_ranges(self, positive=('epsilon',), rates=('drop_path_rate',))
    super().__post_init__()

  @nn.compact
  def __call__(
    self, x: jax.Array, *, train: bool = False
  ) -> tuple[jax.Array, jax.Array]:
    """Classifies images.

    Args:
      x: images [examples, height, width, channels].
      train: whether to use the batch's statistics, dropout (at the variant's
        rate) and stochastic depth; requires the stream 'dropout' and updates
        'batch_stats'.

    Returns:
      Logits [examples, classes] and features [examples, D], the pooled last
      convolution before dropout, both float32.
    """
    scaling = VARIANTS[self.variant]
    features = Trunk(
      scaling.width,
      scaling.depth,
      self.padding,
      self.epsilon,
      drop_path_rate=self.drop_path_rate,
      dtype=self.dtype,
      name='trunk',
    )(x, train=train)
    dropout = nn.Dropout(scaling.dropout_rate, deterministic=not train)
    x = dropout(features)
    return layers.head(self.num_classes)(x), features


def _padded(
  x: jax.Array, kernel: int, stride: int, padding: str
) -> tuple[jax.Array, int | None]:
  """Returns images and the remaining padding on all sides, None for SAME."""
  half = kernel // 2
  if padding == 'same':
    return x, None
  if padding == 'half' or stride == 1:
    return x, half
  ends = (half - 1, half)
  return jnp.pad(x, ((0, 0), ends, ends, (0, 0))), 0

"""VoVNet: each block concatenates the maps of all its layers at its end.

Lee, Hwang, Lee, Bae and Park, 'An Energy and GPU-Computation Efficient Backbone
Network for Real-Time Object Detection' (CVPR Workshops 2019); with identities
across blocks and effective squeeze-and-excitation (V2): Lee and Park,
'CenterMask: Real-Time Anchor-Free Instance Segmentation' (CVPR 2020). The
defaults are the V2-19 of depthwise separable convolutions; V2-39 is
`depthwise` False, `stem_filters` (64, 64, 128), `stage_sizes` (1, 1, 2, 2) and
`block_layers` 5.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from overlap.core import errors
from overlap.models import depthwise, layers
from overlap.models.options import check_ranges, check_strides, require


class Layer(nn.Module):
  """3×3 convolution, batch norm and ReLU.

  Attributes:
    filters: output channels.
    stride: stride in both directions.
    separable: whether to use a depthwise 3×3 convolution and a 1×1 convolution,
      with nothing between them.
    dtype: dtype of the computation.
  """

  filters: int
  stride: int = 1
  separable: bool = True
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    stride = self.stride
    if self.separable:
      x = depthwise.DepthwiseConv(
        3, stride, self.dtype, padding=1, name='depthwise'
      )(x)
      kernel, stride = 1, 1
    else:
      kernel = 3
    x = layers.Conv(self.filters, kernel, stride, self.dtype, name='conv')(x)
    return nn.relu(layers.batch_norm(train, self.dtype)(x))


class Excitation(nn.Module):
  """Effective squeeze-and-excitation: one dense layer on channel means.

  Attributes:
    dtype: dtype of the computation.
  """

  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    mean = jnp.mean(x, axis=(1, 2), keepdims=True)
    weights = layers.Conv(
      x.shape[-1], dtype=self.dtype, use_bias=True, name='dense'
    )(mean)
    return x * nn.hard_sigmoid(weights)


class Block(nn.Module):
  """Sequence of layers, and a 1×1 convolution of all their maps.

  Attributes:
    filters: output channels.
    layer_filters: number of filters of each layer.
    num_layers: number of layers.
    separable: whether convolutions are depthwise separable, see `Layer`.
    excite: whether to weigh the output channels by `Excitation`.
    residual: whether to add the input to the output.
    dtype: dtype of the computation.
  """

  filters: int
  layer_filters: int
  num_layers: int
  separable: bool = True
  excite: bool = True
  residual: bool = False
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    before, maps = x, [x]
    # A depthwise convolution can't change the number of channels.
    if self.separable and x.shape[-1] != self.layer_filters:
      x = layers.ConvNorm(self.layer_filters, dtype=self.dtype, name='reduce')(
        x, train=train
      )
      x = nn.relu(x)
    for i in range(1, self.num_layers + 1):
      x = Layer(
        self.layer_filters,
        separable=self.separable,
        dtype=self.dtype,
        name=f'layer{i}',
      )(x, train=train)
      maps.append(x)
    x = layers.ConvNorm(self.filters, dtype=self.dtype, name='join')(
      jnp.concatenate(maps, axis=-1), train=train
    )
    x = nn.relu(x)
    if self.excite:
      x = Excitation(self.dtype, name='excitation')(x)
    return x + before if self.residual else x


def _pool(x: jax.Array) -> jax.Array:
  """Max-pools 3×3 pixels at stride 2; the last window may be partial."""
  if min(x.shape[1:3]) < 2:
    raise errors.UsageError(
      'VoVNet: images must be so large that each stage but the last has maps '
      f'of 2×2 or more, got {x.shape[1]}×{x.shape[2]}. Set input.size, or '
      'fewer stages.'
    )
  ends = [(0, (size - 3) % 2) for size in x.shape[1:3]]
  return nn.max_pool(x, (3, 3), strides=(2, 2), padding=ends)


class VoVNet(nn.Module):
  """VoVNet V2, for images of any number of channels.

  Attributes:
    num_classes: outputs of the head.
    stem_filters: number of filters of the three first convolutions.
    stem_strides: strides of these convolutions, for example (1, 1, 1) for small
      images.
    filters: output channels of each stage; image sides are halved between
      stages.
    layer_filters: number of filters of each stage's layers.
    stage_sizes: number of blocks in each stage.
    block_layers: number of layers in a block.
    depthwise: whether all convolutions except the first are depthwise
      separable.
    excite: whether to weigh the channels at the end of each stage.
    residual: whether each block except the first of a stage adds its input.
    dropout_rate: dropout rate of the features, before the head.
    dtype: dtype of the computation; parameters and outputs are float32.
  """

  num_classes: int
  stem_filters: tuple[int, ...] = (64, 64, 64)
  stem_strides: tuple[int, ...] = (2, 1, 2)
  filters: tuple[int, ...] = (256, 512, 768, 1024)
  layer_filters: tuple[int, ...] = (128, 160, 192, 224)
  stage_sizes: tuple[int, ...] = (1, 1, 1, 1)
  block_layers: int = 3
  depthwise: bool = True
  excite: bool = True
  residual: bool = True
  dropout_rate: float = 0.0
  dtype: jnp.dtype = jnp.float32

  def __post_init__(self):
    check_ranges(
      self,
      positive=(
        'stem_filters', 'filters', 'layer_filters', 'stage_sizes',
        'block_layers',
      ),
      rates=('dropout_rate',),
    )  # fmt: skip
    require(len(self.stem_filters) == 3, self, 'stem_filters', '3 numbers')
    check_strides(self, 'stem_strides', 3)
    stages = len(self.stage_sizes)
    for field in ('filters', 'layer_filters'):
      require(
        len(getattr(self, field)) == stages, self, field, f'{stages} numbers'
      )
    super().__post_init__()

  @nn.compact
  def __call__(
    self, x: jax.Array, *, train: bool = False
  ) -> tuple[jax.Array, jax.Array]:
    """Classifies images.

    Args:
      x: images [examples, height, width, channels].
      train: whether to use the batch's statistics and dropout; requires the
        stream 'dropout' and updates 'batch_stats'.

    Returns:
      Logits [examples, classes] and features [examples, D], the pooled last
      stage before dropout, both float32.

    Raises:
      UsageError: the image is too small.
    """
    for i, (filters, stride) in enumerate(
      zip(self.stem_filters, self.stem_strides, strict=True)
    ):
      x = Layer(
        filters,
        stride,
        separable=self.depthwise and i > 0,
        dtype=self.dtype,
        name=f'stem{i + 1}',
      )(x, train=train)
    for stage, size in enumerate(self.stage_sizes):
      x = _pool(x) if stage > 0 else x
      for block in range(size):
        x = Block(
          self.filters[stage],
          self.layer_filters[stage],
          self.block_layers,
          separable=self.depthwise,
          excite=self.excite and block == size - 1,
          residual=self.residual and block > 0,
          dtype=self.dtype,
          name=f'stage{stage + 1}_block{block + 1}',
        )(x, train=train)
    return layers.classify(x, self.num_classes, self.dropout_rate, train=train)

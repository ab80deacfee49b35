"""SE-ResNet and SE-ResNeXt: residual blocks with squeeze-and-excitation.

Hu, Shen and Sun, 'Squeeze-and-Excitation Networks' (CVPR 2018), in two forms.
'caffe' is that of the authors' released weights: the stem's pooling is padded
only at the end, a bottleneck without groups strides in its first convolution,
and a basic block has a ReLU before the squeeze. 'd' is the ResNet-D of He et
al., 'Bag of Tricks for Image Classification with Convolutional Neural
Networks' (CVPR 2019): a stem of three 3×3 convolutions, and shortcuts that
average 2×2 pixels where they stride.

SE-ResNet-34 is block 'basic', stage_sizes (3, 4, 6, 3); SE-ResNet-50 block
'bottleneck' of the same; SE-ResNeXt-26d (32×4d) stage_sizes (2, 2, 2, 2),
groups 32, width_per_group 4 and form 'd'.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from overlap.core import lookup
from overlap.models import layers, squeeze
from overlap.models.options import check_ranges, require
from overlap.models.resnet import BLOCKS

FORMS = ('caffe', 'd')
# Output channels of a bottleneck block, as a multiple of its filters.
_EXPANSION = 4
# Filters of the first stage to which `width_per_group` refers.
_BASE_WIDTH = 64


def _pool_at_the_end(x: jax.Array) -> jax.Array:
  """Max-pools 3×3 pixels at stride 2, padded at the end if necessary."""
  sizes = x.shape[1:3]
  # The number of windows that covers each pixel, at least one.
  windows = [1 + max(0, -((3 - size) // 2)) for size in sizes]
  pads = [
    (0, 2 * (count - 1) + 3 - size)
    for count, size in zip(windows, sizes, strict=True)
  ]
  return nn.max_pool(x, (3, 3), strides=(2, 2), padding=pads)


class Stem(nn.Module):
  """Layers before the first stage.

  Attributes:
    filters: output channels.
    form: one of `FORMS`.
    small: whether to use one 3×3 convolution without pooling, in both forms.
    stride: stride of the small stem.
    dtype: dtype of the computation.
  """

  filters: int
  form: str
  small: bool = False
  stride: int = 1
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    for i, (filters, kernel, stride) in enumerate(self._convolutions(), 1):
      x = layers.ConvNorm(
        filters, kernel, stride, dtype=self.dtype, name=f'conv{i}'
      )(x, train=train)
      x = nn.relu(x)
    if self.small:
      return x
    if self.form == 'caffe':
      return _pool_at_the_end(x)
    return nn.max_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))

  def _convolutions(self) -> tuple[tuple[int, int, int], ...]:
    """Returns (filters, kernel, stride) of each convolution."""
    if self.small:
      return ((self.filters, 3, self.stride),)
    if self.form == 'caffe':
      return ((self.filters, 7, 2),)
    half = self.filters // 2
    return (half, 3, 2), (half, 3, 1), (self.filters, 3, 1)


class Block(nn.Module):
  """Residual block with squeeze-and-excitation.

  Attributes:
    filters: number of filters of the 3×3 convolutions.
    filters_out: number of filters of the last convolution.
    form: one of `FORMS`.
    stride: stride of the block.
    bottleneck: whether the convolutions are 1×1, 3×3, 1×1 instead of 3×3, 3×3.
    groups: number of groups of the 3×3 convolution of a bottleneck.
    reduction: factor by which the channels are squeezed.
    zero_init: whether the block starts as the identity.
    dtype: dtype of the computation.
  """

  filters: int
  filters_out: int
  form: str
  stride: int = 1
  bottleneck: bool = True
  groups: int = 1
  reduction: int = 16
  zero_init: bool = False
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    before = x
    convolutions = self._convolutions()
    for i, (filters, kernel, stride, groups) in enumerate(convolutions, 1):
      last = i == len(convolutions)
      x = layers.ConvNorm(
        filters,
        kernel,
        stride,
        zero_init=last and self.zero_init,
        dtype=self.dtype,
        groups=groups,
        name=f'conv{i}',
      )(x, train=train)
      if not last or (self.form == 'caffe' and not self.bottleneck):
        x = nn.relu(x)
    squeezed = max(1, self.filters_out // self.reduction)
    x = squeeze.SqueezeExcite(squeezed, dtype=self.dtype, name='squeeze')(x)
    if self.stride != 1 or before.shape[-1] != self.filters_out:
      before = self._shortcut(before, train)
    return nn.relu(x + before)

  def _convolutions(self) -> tuple[tuple[int, int, int, int], ...]:
    """Returns (filters, kernel, stride, groups) of each convolution."""
    filters, stride = self.filters, self.stride
    if not self.bottleneck:
      return (filters, 3, stride, 1), (self.filters_out, 3, 1, 1)
    first = self.form == 'caffe' and self.groups == 1
    strides = (stride, 1) if first else (1, stride)
    return (
      (filters, 1, strides[0], 1),
      (filters, 3, strides[1], self.groups),
      (self.filters_out, 1, 1, 1),
    )

  def _shortcut(self, x: jax.Array, train: bool) -> jax.Array:
    stride = self.stride
    if self.form == 'd' and stride != 1:
      # At the edges of odd maps, average only the existing pixels.
      x = nn.avg_pool(
        x, (2, 2), strides=(2, 2), padding='SAME', count_include_pad=False
      )
      stride = 1
    return layers.ConvNorm(
      self.filters_out, 1, stride, dtype=self.dtype, name='shortcut'
    )(x, train=train)


class SENet(nn.Module):
  """SE-ResNet or SE-ResNeXt, for images of any size and number of channels.

  Attributes:
    num_classes: outputs of the head.
    stage_sizes: number of blocks in each stage; from stage to stage, filters
      are doubled and image sides halved.
    block: one of `resnet.BLOCKS`.
    form: one of `FORMS`, see the module.
    groups: number of groups of the 3×3 convolutions of bottlenecks; 32 for
      SE-ResNeXt.
    width_per_group: filters per group in the first stage for `width` 64; 4 for
      SE-ResNeXt 32×4d.
    width: filters of the stem and, with the default groups, the first stage.
    reduction: factor by which the channels are squeezed.
    stem: one of `layers.STEMS`; 'imagenet' depends on the form.
    stem_stride: stride of the stem 'small', 1 or 2.
    dropout_rate: dropout rate of the features, before the head.
    zero_init_residual: whether every block starts as the identity.
    dtype: dtype of the computation; parameters and outputs are float32.
  """

  num_classes: int
  stage_sizes: tuple[int, ...] = (3, 4, 6, 3)
  block: str = 'bottleneck'
  form: str = 'caffe'
  groups: int = 1
  width_per_group: int = 64
  width: int = 64
  reduction: int = 16
  stem: str = 'imagenet'
  stem_stride: int = 1
  dropout_rate: float = 0.0
  zero_init_residual: bool = False
  dtype: jnp.dtype = jnp.float32

  def __post_init__(self):
    lookup.check_choice('block of SENet', self.block, BLOCKS)
    lookup.check_choice('form of SENet', self.form, FORMS)
    layers.check_stem(self)
    sizes = ('stage_sizes', 'groups', 'width_per_group', 'width', 'reduction')
    check_ranges(self, positive=sizes, rates=('dropout_rate',))
    for field, plain in (('groups', 1), ('width_per_group', _BASE_WIDTH)):
      holds = self.block == 'bottleneck' or getattr(self, field) == plain
      require(holds, self, field, f"{plain} where block='basic'")
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
    """
    small = self.stem == 'small'
    x = Stem(
      self.width, self.form, small, self.stem_stride, self.dtype, name='stem'
    )(x, train=train)
    for stage, size in enumerate(self.stage_sizes):
      filters, filters_out = self._filters(stage)
      for block in range(size):
        x = Block(
          filters,
          filters_out,
          self.form,
          stride=2 if stage > 0 and block == 0 else 1,
          bottleneck=self.block == 'bottleneck',
          groups=self.groups,
          reduction=self.reduction,
          zero_init=self.zero_init_residual,
          dtype=self.dtype,
          name=f'stage{stage + 1}_block{block + 1}',
        )(x, train=train)
    return layers.classify(x, self.num_classes, self.dropout_rate, train=train)

  def _filters(self, stage: int) -> tuple[int, int]:
    """Returns inner and output filters of blocks of a stage, from 0."""
    filters = self.width * 2**stage
    if self.block == 'basic':
      return filters, filters
    per_group = filters * self.width_per_group // _BASE_WIDTH
    return per_group * self.groups, filters * _EXPANSION

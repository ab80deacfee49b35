"""Layers shared by the convolutional families."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from overlap.core import lookup
from overlap.models import grouped
from overlap.models.options import require

STEMS = ('imagenet', 'small')

_conv_init = nn.initializers.variance_scaling(2.0, 'fan_out', 'normal')


class Conv(nn.Module):
  """Convolution with the padding of PyTorch's models, equal on all sides.

  Attributes:
    filters: output channels.
    kernel: side of the kernel, odd; or its height and width.
    stride: stride in both directions.
    dtype: dtype of the computation. The parameters are float32: 'kernel'
      [height, width, in / groups, filters], or [in, filters] for a 1×1 kernel
      and one group, and 'bias' [filters].
    groups: number of groups of channels, each convolved separately.
    use_bias: whether to add a bias.
    padding: pixels on every side, or for rows and for columns; None for half of
      the kernel; 'SAME' for TensorFlow's rule, which at stride 2 may pad more
      at the end, or 'VALID' for none.
    dilation: distance between the kernel's elements, 1 for none.
  """

  filters: int
  kernel: int | tuple[int, int] = 1
  stride: int = 1
  dtype: jnp.dtype = jnp.float32
  groups: int = 1
  use_bias: bool = False
  padding: int | tuple[int, int] | str | None = None
  dilation: int = 1

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    size, s = _pair(self.kernel), self.stride
    product = size == (1, 1) and self.groups == 1 and not self.padding
    shape = () if product else size
    kernel = self.param(
      'kernel',
      _conv_init,
      (*shape, x.shape[-1] // self.groups, self.filters),
    ).astype(self.dtype)
    x = x.astype(self.dtype)
    if product:
      # Equivalent to a convolution, and a quarter faster on CPUs.
      x = lax.dot_general(x[:, ::s, ::s], kernel, (((3,), (0,)), ((), ())))
    else:
      x = self._convolve(x, kernel)
    if self.use_bias:
      bias = self.param('bias', nn.initializers.zeros, (self.filters,))
      x = x + bias.astype(self.dtype)[None, None, None]
    return x

  def _convolve(self, x: jax.Array, kernel: jax.Array) -> jax.Array:
    pads = self._pads(x, kernel)
    if self.groups > 1:
      window = grouped.Window(self.stride, pads, self.dilation, self.groups)
      return grouped.grouped_conv(x, kernel, window)
    return lax.conv_general_dilated(
      x,
      kernel,
      window_strides=(self.stride, self.stride),
      padding=pads,
      rhs_dilation=(self.dilation, self.dilation),
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    )

  def _pads(
    self, x: jax.Array, kernel: jax.Array
  ) -> tuple[tuple[int, int], tuple[int, int]]:
    """Returns padding before and after, for rows and for columns."""
    # Sides of the dilated kernel.
    spans = [self.dilation * (side - 1) + 1 for side in kernel.shape[:2]]
    if isinstance(self.padding, str):
      (top, bottom), (left, right) = lax.padtype_to_pads(
        x.shape[1:3], spans, (self.stride, self.stride), self.padding
      )
      return (top, bottom), (left, right)
    half = spans[0] // 2, spans[1] // 2
    height, width = half if self.padding is None else _pair(self.padding)
    return (height, height), (width, width)


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
  return (value, value) if isinstance(value, int) else value


def batch_norm(
  train: bool,
  dtype: jnp.dtype,
  name: str = 'norm',
  *,
  zero_init: bool = False,
  epsilon: float = 1e-5,
) -> nn.BatchNorm:
  """Returns batch norm with PyTorch's constants.

  In training it uses the statistics of the whole batch even if that is sharded,
  since a step is one program over all devices.

  Args:
    train: whether to use the batch's statistics and update the running ones.
    dtype: dtype of the computation; the statistics are float32.
    name: name of the submodule.
    zero_init: whether the initial scale is zero.
    epsilon: added to the variance.
  """
  ones, zeros = nn.initializers.ones, nn.initializers.zeros
  return nn.BatchNorm(
    use_running_average=not train,
    momentum=0.9,
    epsilon=epsilon,
    scale_init=zeros if zero_init else ones,
    dtype=dtype,
    name=name,
  )


def head(
  num_classes: int, name: str = 'head', *, zero_init: bool = False
) -> nn.Dense:
  """Returns the linear classifier.

  It computes in float32 and at full precision on every device, whatever the
  model's dtype, so that stored features times a stored head equal the stored
  logits.

  Args:
    num_classes: number of outputs.
    name: name of the submodule.
    zero_init: whether the initial kernel is zero, so that all logits are 0.
  """
  init = nn.initializers.zeros if zero_init else nn.initializers.lecun_normal()
  return nn.Dense(
    num_classes,
    precision=lax.Precision.HIGHEST,
    kernel_init=init,
    name=name,
  )


def classify(
  x: jax.Array,
  num_classes: int,
  dropout_rate: float,
  *,
  train: bool,
  zero_init: bool = False,
) -> tuple[jax.Array, jax.Array]:
  """Applies average-pooling, dropout and the head of convolutional families.

  Must be called in a module's compact method, which gets the submodule `head`.

  Args:
    x: maps [examples, height, width, D].
    num_classes: outputs of the head.
    dropout_rate: dropout rate of the features, before the head.
    train: whether to use dropout; requires the stream 'dropout'.
    zero_init: whether the head's initial kernel is zero.

  Returns:
    Logits [examples, classes] and features [examples, D], both float32.
  """
  features = jnp.mean(x, axis=(1, 2), dtype=jnp.float32)
  x = nn.Dropout(dropout_rate)(features, deterministic=not train)
  return head(num_classes, zero_init=zero_init)(x), features


class ConvNorm(nn.Module):
  """Convolution and batch norm.

  Attributes:
    filters: output channels.
    kernel: side of the kernel, odd.
    stride: stride in both directions.
    zero_init: whether the initial scale of the norm is zero.
    dtype: dtype of the computation.
    groups: number of groups of channels, see `Conv`.
    padding: padding of the convolution, see `Conv`.
    epsilon: epsilon of the norm.
  """

  filters: int
  kernel: int | tuple[int, int] = 1
  stride: int = 1
  zero_init: bool = False
  dtype: jnp.dtype = jnp.float32
  groups: int = 1
  padding: int | tuple[int, int] | str | None = None
  epsilon: float = 1e-5

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    x = Conv(
      self.filters,
      self.kernel,
      self.stride,
      self.dtype,
      groups=self.groups,
      padding=self.padding,
      name='conv',
    )(x)
    return batch_norm(
      train, self.dtype, zero_init=self.zero_init, epsilon=self.epsilon
    )(x)


class Stem(nn.Module):
  """Layers before the first stage.

  Attributes:
    filters: output channels.
    kind: 'imagenet' for a 7×7 convolution at stride 2 and 3×3 max-pooling at
      stride 2; 'small' for a 3×3 convolution.
    stride: stride of the small stem.
    dtype: dtype of the computation.
  """

  filters: int
  kind: str = 'imagenet'
  stride: int = 1
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    imagenet = self.kind == 'imagenet'
    kernel, stride = (7, 2) if imagenet else (3, self.stride)
    x = Conv(self.filters, kernel, stride, self.dtype, name='conv')(x)
    x = batch_norm(train, self.dtype)(x)
    x = nn.relu(x)
    if imagenet:
      x = nn.max_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
    return x


def check_stem(module: nn.Module) -> None:
  """Checks the fields `stem` and `stem_stride` of a module.

  Raises:
    UsageError: the stem is unknown, or does not allow the stride.
  """
  lookup.check_choice('stem', module.stem, STEMS)
  if module.stem == 'small':
    require(module.stem_stride in (1, 2), module, 'stem_stride', '1 or 2')
  else:
    rule = "left at 1 unless stem='small' (its strides are fixed)"
    require(module.stem_stride == 1, module, 'stem_stride', rule)


def dropblock_mask(
  key: jax.Array,
  shape: tuple[int, ...],
  *,
  keep_prob: float | jax.Array,
  block_size: int,
) -> jax.Array:
  """Draws a mask of the activations to keep, which drops whole squares.

  Every position at which a block fits starts a block with probability

    (1 - keep_prob)·H·W / (b_h·b_w·(H - b_h + 1)·(W - b_w + 1)),

  independently for each example and channel. Blocks may overlap, so that
  somewhat more than `keep_prob` is kept.

  Args:
    key: random key.
    shape: [examples, height, width, channels].
    keep_prob: share of activations to keep, in (0, 1].
    block_size: side of the blocks, reduced to fit a smaller map.

  Returns:
    Mask of type bool and the given shape.
  """
  batch, height, width, channels = shape
  rows, columns = min(block_size, height), min(block_size, width)
  starts = (height - rows + 1, width - columns + 1)
  rate = (1 - keep_prob) * height * width / (rows * columns)
  rate /= starts[0] * starts[1]
  seeds = jax.random.bernoulli(
    key, jnp.minimum(rate, 1.0), (batch, *starts, channels)
  )
  dropped = lax.reduce_window(
    seeds,
    False,
    lax.bitwise_or,
    window_dimensions=(1, rows, columns, 1),
    window_strides=(1, 1, 1, 1),
    padding=((0, 0), (rows - 1,) * 2, (columns - 1,) * 2, (0, 0)),
  )
  return ~dropped


class DropBlock(nn.Module):
  """DropBlock: drops square regions in training and rescales the rest.

  Ghiasi, Lin and Le, 'DropBlock: A regularization method for convolutional
  networks' (NeurIPS 2018), Algorithm 1. Requires the stream 'dropout' if any
  activations are dropped.

  Attributes:
    keep_prob: share of activations to keep; 1 for no DropBlock.
    block_size: side of the squares.
    strength: scale of the dropped share, from 0 (keep all) to 1 (`keep_prob`);
      a number, or an array [].
  """

  keep_prob: float = 1.0
  block_size: int = 7
  strength: float | jax.Array = 1.0

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    if not train or self.keep_prob == 1:
      return x
    mask = dropblock_mask(
      self.make_rng('dropout'),
      x.shape,
      keep_prob=self._share_kept(),
      block_size=self.block_size,
    )
    # Share kept in the whole batch, bounded to avoid a division by zero.
    kept = jnp.maximum(jnp.mean(mask, dtype=jnp.float32), 1 / max(mask.size, 1))
    return jnp.where(mask, x / kept.astype(x.dtype), 0)

  def _share_kept(self) -> float | jax.Array:
    if isinstance(self.strength, float) and self.strength == 1:
      return self.keep_prob
    return 1 - self.strength * (1 - self.keep_prob)

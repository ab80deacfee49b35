"""What the convolutional families share: convolutions, norms, DropBlock."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from overlap import lookup
from overlap.models.options import require

STEMS = ('imagenet', 'small')

_conv_init = nn.initializers.variance_scaling(2.0, 'fan_out', 'normal')


class Conv(nn.Module):
  """Convolution without bias, padded as PyTorch does: alike on all sides.

  Attributes:
    filters: output channels.
    kernel: side of the kernel, odd.
    stride: in both directions.
    dtype: of the computation; the parameter is float32. It is 'kernel'
      [kernel, kernel, in, filters], without the first two where they are 1.
  """

  filters: int
  kernel: int = 1
  stride: int = 1
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    k, s = self.kernel, self.stride
    shape = (k, k) if k > 1 else ()
    kernel = self.param(
      'kernel', _conv_init, (*shape, x.shape[-1], self.filters)
    ).astype(self.dtype)
    x = x.astype(self.dtype)
    if k == 1:
      # The same as a convolution, and a quarter faster on CPUs.
      return lax.dot_general(x[:, ::s, ::s], kernel, (((3,), (0,)), ((), ())))
    return lax.conv_general_dilated(
      x,
      kernel,
      window_strides=(s, s),
      padding=((k // 2, k // 2),) * 2,
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    )


def batch_norm(
  train: bool,
  dtype: jnp.dtype,
  name: str = 'norm',
  *,
  zero_init: bool = False,
) -> nn.BatchNorm:
  """Batch norm with PyTorch's constants.

  In training, by the statistics of the whole batch however it is sharded:
  a step is one program over all devices.

  Args:
    train: use the batch's statistics and update the running ones.
    dtype: of the computation; the statistics are float32.
    name: of the submodule.
    zero_init: start with a scale of zero.
  """
  ones, zeros = nn.initializers.ones, nn.initializers.zeros
  return nn.BatchNorm(
    use_running_average=not train,
    momentum=0.9,
    epsilon=1e-5,
    scale_init=zeros if zero_init else ones,
    dtype=dtype,
    name=name,
  )


def head(num_classes: int, name: str = 'head') -> nn.Dense:
  """The classifier.

  In float32 and at full precision on every device, whatever the model's dtype:
  stored features times a stored head are then the stored logits.
  """
  return nn.Dense(num_classes, precision=lax.Precision.HIGHEST, name=name)


class ConvNorm(nn.Module):
  """`Conv` and batch norm.

  Attributes:
    filters: output channels.
    kernel: side of the kernel, odd.
    stride: in both directions.
    zero_init: start with a scale of zero.
    dtype: of the computation.
  """

  filters: int
  kernel: int = 1
  stride: int = 1
  zero_init: bool = False
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    x = Conv(self.filters, self.kernel, self.stride, self.dtype, name='conv')(x)
    return batch_norm(train, self.dtype, zero_init=self.zero_init)(x)


class Stem(nn.Module):
  """The layers before the first stage.

  Attributes:
    filters: output channels.
    kind: 'imagenet': 7×7 at stride 2, then 3×3 max-pooling at stride 2;
      'small': 3×3.
    stride: of the small stem.
    dtype: of the computation.
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
    UsageError: there is no such stem, or it has another stride.
  """
  lookup.check('stem', module.stem, STEMS)
  if module.stem == 'small':
    require(module.stem_stride in (1, 2), module, 'stem_stride', '1 or 2')
  else:
    rule = "left at 1 unless stem='small' (its strides are fixed)"
    require(module.stem_stride == 1, module, 'stem_stride', rule)


def dropblock_mask(
  key: jax.Array, shape: tuple[int, ...], *, keep_prob: float, block_size: int
) -> jax.Array:
  """Draws which activations to keep; squares of them are dropped as one.

  Every position at which a block fits starts one with probability

    (1 - keep_prob)·H·W / (b_h·b_w·(H - b_h + 1)·(W - b_w + 1)),

  for each example and channel by itself; blocks may overlap, so that somewhat
  more than `keep_prob` is kept.

  Args:
    key: random.
    shape: [examples, height, width, channels].
    keep_prob: the share to keep, in (0, 1].
    block_size: side of the blocks, which are cut to fit a smaller map.

  Returns:
    bool, of `shape`.
  """
  batch, height, width, channels = shape
  rows, columns = min(block_size, height), min(block_size, width)
  starts = (height - rows + 1, width - columns + 1)
  rate = (1 - keep_prob) * height * width / (rows * columns)
  rate /= starts[0] * starts[1]
  seeds = jax.random.bernoulli(key, min(rate, 1.0), (batch, *starts, channels))
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
  """Drops square regions in training and scales up what is left.

  Ghiasi, Lin and Le, 'DropBlock: A regularization method for convolutional
  networks' (NeurIPS 2018), Algorithm 1. Takes the stream 'dropout', and only
  where it drops.

  Attributes:
    keep_prob: the share of activations to keep; 1 for no DropBlock.
    block_size: side of the squares.
  """

  keep_prob: float = 1.0
  block_size: int = 7

  @nn.compact
  def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
    if not train or self.keep_prob == 1:
      return x
    mask = dropblock_mask(
      self.make_rng('dropout'),
      x.shape,
      keep_prob=self.keep_prob,
      block_size=self.block_size,
    )
    # The share that was kept, of the whole batch; never a division by zero.
    kept = jnp.maximum(jnp.mean(mask, dtype=jnp.float32), 1 / max(mask.size, 1))
    return jnp.where(mask, x / kept.astype(x.dtype), 0)

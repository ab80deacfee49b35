"""VGG with batch norm.

Simonyan and Zisserman, 'Very Deep Convolutional Networks for Large-Scale Image
Recognition' (ICLR 2015). `stage_sizes` of the known depths: 11 (1, 1, 2, 2, 2),
13 (2, 2, 2, 2, 2), 16 (2, 2, 3, 3, 3) and 19 (2, 2, 4, 4, 4).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from overlap.core import errors
from overlap.models import layers
from overlap.models.options import check_ranges

# Filters are doubled from stage to stage up to this factor.
_MOST_DOUBLED = 8
# Side of the classifier's input maps for images of 224×224 pixels.
_WINDOW = 7


def _windows(size: int) -> np.ndarray:
  """Returns a matrix that averages `size` < `_WINDOW` pixels in parts.

  There are `_WINDOW` parts. Part i has the pixels that lie at least partly
  between i and i + 1 sevenths, so that adjacent parts overlap.
  """
  starts = np.arange(_WINDOW)[:, None] * size // _WINDOW
  ends = -(-(np.arange(_WINDOW)[:, None] + 1) * size // _WINDOW)
  pixels = np.arange(size)
  inside = (starts <= pixels) & (pixels < ends)
  return inside / inside.sum(axis=1, keepdims=True)


def _at_least_a_window(x: jax.Array) -> jax.Array:
  """Stretches maps to at least `_WINDOW` rows and columns, by `_windows`."""
  height, width = x.shape[1:3]
  if height < _WINDOW:
    rows = jnp.asarray(_windows(height), x.dtype)
    x = jnp.einsum('ih,bhwc->biwc', rows, x)
  if width < _WINDOW:
    columns = jnp.asarray(_windows(width), x.dtype)
    x = jnp.einsum('jw,bhwc->bhjc', columns, x)
  return x


class VGG(nn.Module):
  """VGG, for images of any number of channels.

  The classifier's hidden layers take 7×7 maps, those of images of 224×224. On
  larger maps they are applied to every 7×7 window, and the features are
  averaged; smaller maps are stretched by means of overlapping parts, as in the
  released implementations.

  Attributes:
    num_classes: outputs of the head.
    stage_sizes: number of convolutions in each stage; image sides are halved
      after every stage.
    width: filters of the first stage, doubled from stage to stage up to eight
      times as many.
    hidden_size: size of the classifier's two hidden layers.
    global_pool: whether the classifier takes the mean of the last maps instead
      of 7×7 maps; for small images, with fewer stages and a fifth of the
      parameters.
    dropout_rate: dropout rate after each hidden layer.
    dtype: dtype of the computation; parameters and outputs are float32.
  """

  num_classes: int
  stage_sizes: tuple[int, ...] = (2, 2, 4, 4, 4)
  width: int = 64
  hidden_size: int = 4096
  global_pool: bool = False
  dropout_rate: float = 0.5
  dtype: jnp.dtype = jnp.float32

  def __post_init__(self):
    check_ranges(
      self,
      positive=('stage_sizes', 'width', 'hidden_size'),
      rates=('dropout_rate',),
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
      Logits [examples, classes] and features [examples, hidden_size], the
      second hidden layer before its dropout, both float32.

    Raises:
      UsageError: the image is too small.
    """
    least = 2 ** len(self.stage_sizes)
    if min(x.shape[1:3]) < least:
      raise errors.UsageError(
        f'VGG: images must have {least}×{least} pixels or more for '
        f'{len(self.stage_sizes)} stages, got {x.shape[1]}×{x.shape[2]}. Set '
        'input.size or shorter stage_sizes.'
      )
    x = self._convolutions(x, train)
    if self.global_pool:
      x = jnp.mean(x, axis=(1, 2), keepdims=True)
    else:
      x = _at_least_a_window(x)
    drop = nn.Dropout(self.dropout_rate, deterministic=not train)
    kernel = 1 if self.global_pool else _WINDOW
    x = nn.relu(self._hidden(kernel, 'hidden1')(x))
    x = nn.relu(self._hidden(1, 'hidden2')(drop(x)))
    features = jnp.mean(x, axis=(1, 2), dtype=jnp.float32)
    return layers.head(self.num_classes)(drop(features)), features

  def _convolutions(self, x: jax.Array, train: bool) -> jax.Array:
    number = 0
    for stage, size in enumerate(self.stage_sizes):
      filters = self.width * min(2**stage, _MOST_DOUBLED)
      for _ in range(size):
        number += 1
        x = layers.Conv(
          filters, 3, dtype=self.dtype, use_bias=True, name=f'conv{number}'
        )(x)
        x = layers.batch_norm(train, self.dtype, f'norm{number}')(x)
        x = nn.relu(x)
      x = nn.max_pool(x, (2, 2), strides=(2, 2))
    return x

  def _hidden(self, kernel: int, name: str) -> nn.Module:
    return layers.Conv(
      self.hidden_size,
      kernel,
      dtype=self.dtype,
      use_bias=True,
      padding=0,
      name=name,
    )

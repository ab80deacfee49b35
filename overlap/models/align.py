"""ALIGN's image tower as a classifier: an EfficientNet without its last layer.

Jia et al., 'Scaling Up Visual and Vision-Language Representation Learning With
Noisy Text Supervision' (ICML 2021). Its own weights are private; the default
is the tower of Kakao Brain's reproduction (2023), an EfficientNet-B7 without
the last convolution, released for 289×289 pixels in [-1, 1]. The text tower is
in `bert`.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from overlap.core import errors, lookup
from overlap.models import clip, efficientnet, layers
from overlap.models.options import check_ranges

# Smallest side of an image: it is halved and rounded down five times.
_SMALLEST = 32


def image_tower(
  width: float = 2.0,
  depth: float = 3.1,
  drop_path_rate: float = 0.2,
  dtype: jnp.dtype = jnp.float32,
) -> efficientnet.Trunk:
  """Returns the image tower; for the arguments see `ALIGN`."""
  return efficientnet.Trunk(
    width,
    depth,
    padding='end',
    epsilon=1e-3,
    top=False,
    drop_path_rate=drop_path_rate,
    dtype=dtype,
    name='image',
  )


class ALIGN(nn.Module):
  """ALIGN's image tower and a linear classifier.

  Attributes:
    num_classes: outputs of the head.
    width: factor of the blocks' filters.
    depth: factor of the number of blocks.
    representation: 'projected' for features of unit length, as for a zero-shot
      head; 'pooled' for the pooled features as they are. The image tower has
      no projection.
    drop_path_rate: probability of skipping the last block in training; rises
      linearly from 0 at the first block.
    dtype: dtype of the convolutions; parameters and outputs are float32.
  """

  num_classes: int
  width: float = 2.0
  depth: float = 3.1
  representation: str = 'projected'
  drop_path_rate: float = 0.2
  dtype: jnp.dtype = jnp.float32

  def __post_init__(self):
    check_ranges(self, positive=('width', 'depth'), rates=('drop_path_rate',))
    lookup.check_choice(
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
      train: whether to use the batch's statistics and stochastic depth;
        requires the stream 'dropout' and updates 'batch_stats'.

    Returns:
      Logits [examples, classes] and features, see `representation`, both
      float32.

    Raises:
      UsageError: the image has less than 32 pixels on a side.
    """
    if min(x.shape[1:3]) < _SMALLEST:
      raise errors.UsageError(
        f'ALIGN: images must have {_SMALLEST} pixels or more on each side, got '
        f'{x.shape[1]}×{x.shape[2]}. Set input.size.'
      )
    features = image_tower(
      self.width, self.depth, self.drop_path_rate, self.dtype
    )(x, train=train)
    if self.representation == 'projected':
      features = clip.normalise(features)
    return layers.head(self.num_classes)(features), features

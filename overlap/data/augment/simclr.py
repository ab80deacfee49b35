"""SimCLR's augmentations (Chen et al. 2020, appendix A)."""

import jax

from overlap.data.augment import blur, color, draws, geometry


def simclr_view(
  key: jax.Array,
  images: jax.Array,
  *,
  scale: tuple[float, float] = (0.08, 1.0),
  strength: float = 1.0,
  blur_probability: float = 0.5,
) -> jax.Array:
  """Returns a random view of each image.

  The steps are resized crop, flip, colour jitter, conversion to grey and blur.
  Colour jitter has probability 0.8 and, at strength 1, amounts 0.8 of
  brightness, contrast and saturation and 0.2 of hue; conversion to grey has
  probability 0.2. On grey images, only brightness and contrast are jittered.

  Args:
    key: one key for the batch.
    images: float32 `[batch, height, width, 1 or 3]` in [0, 1].
    scale: bounds of the crop's area as a fraction of the image's.
    strength: strength of the colour jitter; the paper takes 1 on ImageNet and
      0.5 on CIFAR-10, where it does not blur.
    blur_probability: probability of the Gaussian blur.

  Raises:
    UsageError: an argument is out of range.
  """
  draws.check_range('strength', strength, 0, 2.5)
  keys = jax.random.split(key, 5)
  images = geometry.random_resized_crop(keys[0], images, scale=scale)
  images = geometry.random_flip(keys[1], images)
  images = color.color_jitter(
    keys[2],
    images,
    brightness=0.8 * strength,
    contrast=0.8 * strength,
    saturation=0.8 * strength,
    hue=0.2 * strength,
    probability=0.8,
  )
  if images.shape[-1] == 3:
    images = color.grayscale(keys[3], images, probability=0.2)
  return blur.random_blur(keys[4], images, probability=blur_probability)


def simclr_views(
  key: jax.Array,
  images: jax.Array,
  *,
  scale: tuple[float, float] = (0.08, 1.0),
  strength: float = 1.0,
  blur_probability: float = 0.5,
) -> tuple[jax.Array, jax.Array]:
  """Returns two independent views of each image, see `simclr_view`."""
  first, second = (
    simclr_view(
      one,
      images,
      scale=scale,
      strength=strength,
      blur_probability=blur_probability,
    )
    for one in jax.random.split(key)
  )
  return first, second

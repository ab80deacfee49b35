"""First operations of a policy on the host, on one original image at a time.

A resized crop then takes its box from the original photograph instead of a
resized square. It runs in the reading threads, with Pillow, and so may the
operations after it. An operation has the same draws and results as that of its
name in `policy.OPERATIONS` on the device, except that values are rounded to 8
bits after it.
"""

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from overlap.core import errors, lookup
from overlap.data import images, resampling
from overlap.data.augment import on_host_rand_augment, policy
from overlap.data.augment.geometry import CROP_TRIES
from overlap.data.preparation import Preparation


class Operation(NamedTuple):
  """Operation of a policy.

  Attributes:
    apply: function (image, draws, preparation) -> image, with draws uniform in
      [0, 1) [num_draws].
    num_draws: number of draws per image.
  """

  apply: Callable[[Image.Image, np.ndarray, Preparation], Image.Image]
  num_draws: int


class OnHost(NamedTuple):
  """First operations of a policy, beginning with a resized crop.

  Attributes:
    operations: operations in order.
    preparation: preparation with size, interpolation, antialias and
      channel_order of the images.
    views: number of independent views of each image.
  """

  operations: tuple[Operation, ...]
  preparation: Preparation
  views: int = 1

  @property
  def num_draws(self) -> int:
    """Number of draws per example, over all views."""
    return self.views * sum(step.num_draws for step in self.operations)

  def shape(self, channels: int) -> tuple[int, ...]:
    """Returns the shape of an example's image, or of its views."""
    size = self.preparation.size
    views = (self.views,) if self.views > 1 else ()
    return (*views, size, size, channels)

  def make(self, image: Image.Image, draws: np.ndarray) -> np.ndarray:
    """Makes an example's image, or its views.

    Args:
      image: original image, 'L' or 'RGB'.
      draws: numbers uniform in [0, 1), [num_draws].

    Returns:
      uint8 array of `shape(1 or 3)`.
    """
    views = [self._view(image, row) for row in draws.reshape(self.views, -1)]
    made = np.stack(views) if self.views > 1 else views[0]
    return made[..., ::-1] if self.preparation.channel_order == 'bgr' else made

  def _view(self, image: Image.Image, draws: np.ndarray) -> np.ndarray:
    start = 0
    for operation in self.operations:
      here = draws[start : start + operation.num_draws]
      start += operation.num_draws
      image = operation.apply(image, here, self.preparation)
    return images.to_array(image)


@functools.cache
def build(
  spec: str, count: int, preparation: Preparation, *, views: int = 1
) -> OnHost:
  """Builds the first `count` operations of a policy.

  Args:
    spec: specification of a policy, see `policy.build`.
    count: number of operations, at least 1.
    preparation: preparation of the images, see `OnHost`.
    views: number of views, at least 1.

  Raises:
    UsageError: the first operation is not resized_crop, or another one is not
      supported on the host.
  """
  first, _ = policy.split(spec, count)
  names = [name for name, _ in first]
  if names[:1] != ['resized_crop'] or not set(names[1:]) <= _FOLLOWING.keys():
    raise errors.UsageError(
      'The operations on original images must be a resized_crop, perhaps '
      f'followed by {", ".join(_FOLLOWING)}, got {"|".join(names)!r}.'
    )
  policy.build(spec)  # Checks the arguments.
  makers = {'resized_crop': _resized_crop, **_FOLLOWING}
  return OnHost(
    tuple(makers[name](_defaults(name) | given) for name, given in first),
    preparation,
    views,
  )


def _defaults(name: str) -> dict[str, Any]:
  """Returns the default arguments of an operation."""
  operation = lookup.lookup('augmentation', name, policy.OPERATIONS)
  return {
    parameter.name: parameter.default
    for parameter in inspect.signature(operation).parameters.values()
    if parameter.kind is parameter.KEYWORD_ONLY
  }


def _resized_crop(arguments: Mapping[str, Any]) -> Operation:
  scale, ratio = arguments['scale'], arguments['ratio']
  if arguments['size']:
    raise errors.UsageError(
      'A resized_crop of original images makes them as large as the model '
      f'takes them, got size={arguments["size"]}.'
    )

  def apply(
    image: Image.Image, draws: np.ndarray, preparation: Preparation
  ) -> Image.Image:
    box = random_box(draws, image.height, image.width, scale, ratio)
    return _cut(image, box, preparation)

  return Operation(apply, 2 * CROP_TRIES + 2)


def random_box(
  draws: np.ndarray,
  height: int,
  width: int,
  scale: tuple[float, float],
  ratio: tuple[float, float],
) -> tuple[float, float, float, float]:
  """Returns the box of `geometry.random_boxes`: top, left, height, width."""
  # Plain numbers are fastest, since the first try nearly always fits.
  *tries, down, right = draws.tolist()
  low, high = math.log(ratio[0]), math.log(ratio[1])
  for first, second in zip(tries[:CROP_TRIES], tries[CROP_TRIES:]):
    area = (scale[0] + first * (scale[1] - scale[0])) * height * width
    aspect = math.exp(low + second * (high - low))
    box_height, box_width = math.sqrt(area / aspect), math.sqrt(area * aspect)
    if box_height <= height and box_width <= width:
      break
  else:
    box_height, box_width = float(height), float(width)
  top, left = down * (height - box_height), right * (width - box_width)
  return top, left, box_height, box_width


def _cut(
  image: Image.Image,
  box: tuple[float, float, float, float],
  preparation: Preparation,
) -> Image.Image:
  size = preparation.size
  top, left, height, width = box
  if preparation.antialias:
    # Keep the box inside the image despite rounding.
    bottom = min(top + height, image.height)
    right = min(left + width, image.width)
    method = resampling.METHODS[preparation.interpolation]
    return image.resize((size, size), method, (left, top, right, bottom))
  edges = round(left), round(top), round(left + width), round(top + height)
  resized = resampling.resize(
    images.to_array(image.crop(edges)), size, size,
    interpolation=preparation.interpolation, antialias=False,
  )  # fmt: skip
  return images.from_array(resized)


def _flip(arguments: Mapping[str, Any]) -> Operation:
  def apply(
    image: Image.Image, draws: np.ndarray, preparation: Preparation
  ) -> Image.Image:
    del preparation
    if draws[0] < arguments['probability']:
      return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return image

  return Operation(apply, 1)


def _randaugment(arguments: Mapping[str, Any]) -> Operation:
  def apply(
    image: Image.Image, draws: np.ndarray, preparation: Preparation
  ) -> Image.Image:
    del preparation
    return on_host_rand_augment.randaugment(image, draws, **arguments)

  return Operation(apply, 2 * arguments['layers'])


# Operations that may follow the crop.
_FOLLOWING: dict[str, Callable[[Mapping[str, Any]], Operation]] = {
  'flip': _flip,
  'randaugment': _randaugment,
}

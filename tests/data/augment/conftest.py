"""Images for augmentations: noise, natural-looking, of any shape."""

from collections.abc import Callable

import numpy as np
import pytest


@pytest.fixture
def make_images() -> Callable[..., np.ndarray]:
  """Smooth images on 8-bit levels, float32 in [0, 1]: they have edges too."""

  def make(batch, height, width, channels, seed=0):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(height, width)
    shape = (batch, 1, 1, channels)
    wave = np.sin(
      rng.uniform(2, 9, shape) * y[None, :, :, None]
      + rng.uniform(2, 9, shape) * x[None, :, :, None]
      + rng.uniform(0, 6, shape)
    )
    noise = rng.normal(size=(batch, height, width, channels)) / 10
    values = np.clip(0.5 + 0.4 * wave + noise, 0, 1)
    return (np.round(values * 255) / 255).astype(np.float32)

  return make

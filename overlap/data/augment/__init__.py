"""Preprocessing and augmentation of batches of images on the device.

Training applies `to_float`, `resize`, an augmentation from `build`, and
`normalise`; evaluation applies `preprocess`. All are pure functions for use
inside `jax.jit`, with the batch whole or sharded by example. The first
operations of an augmentation may run on the host instead, on one original image
at a time: see `on_host`.
"""

from overlap.data.augment.blur import random_blur
from overlap.data.augment.color import color_jitter, grayscale
from overlap.data.augment.geometry import (
  random_crop,
  random_cut,
  random_flip,
  random_resized_crop,
)
from overlap.data.augment.on_host import OnHost
from overlap.data.augment.on_host import build as build_on_host
from overlap.data.augment.policy import OPERATIONS, Augment, build, split
from overlap.data.augment.preprocess import (
  luma,
  match_channels,
  normalise,
  preprocess,
  resize,
  to_float,
)
from overlap.data.augment.rand_augment import randaugment
from overlap.data.augment.simclr import simclr_view, simclr_views

__all__ = [
  'OPERATIONS',
  'Augment',
  'OnHost',
  'build',
  'build_on_host',
  'color_jitter',
  'grayscale',
  'luma',
  'match_channels',
  'normalise',
  'preprocess',
  'randaugment',
  'random_blur',
  'random_crop',
  'random_cut',
  'random_flip',
  'random_resized_crop',
  'resize',
  'simclr_view',
  'simclr_views',
  'split',
  'to_float',
]

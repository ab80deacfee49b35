"""Tests of overlap.figures.style."""

import itertools

import numpy as np
import pytest

from overlap.catalog import categories
from overlap.figures import style

# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB.
VISIONS = {
  'usual': np.eye(3),
  'protanopia': [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  'deuteranopia': [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.011820, 0.042940, 0.968881],
  ],
  'tritanopia': [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.303900],
  ],
}
TO_XYZ = np.array([
  [0.4124, 0.3576, 0.1805],
  [0.2126, 0.7152, 0.0722],
  [0.0193, 0.1192, 0.9505],
])  # fmt: skip


def linear(colour):
  channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
  return np.where(
    channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
  )


def lab(rgb):
  xyz = TO_XYZ @ np.clip(rgb, 0, 1) / np.array([0.9505, 1.0, 1.089])
  f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
  return np.array(
    [116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])]
  )  # fmt: skip


def contrast(one, other):
  low, high = sorted(float(TO_XYZ[1] @ linear(c)) for c in (one, other))
  return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize('theme', ['light', 'dark'])
def test_colours_are_seen(theme):
  for colour in style.COLOURS[theme]:
    assert contrast(colour, style.BACKGROUND[theme]) >= 3


@pytest.mark.parametrize('theme', ['light', 'dark'])
@pytest.mark.parametrize('vision', VISIONS)
def test_categories_are_told_apart(theme, vision):
  colours = style.COLOURS[theme][: len(categories.CATEGORIES)]
  seen = [lab(np.array(VISIONS[vision]) @ linear(c)) for c in colours]
  for one, other in itertools.combinations(seen, 2):
    assert np.linalg.norm(one - other) > 15


def test_one_colour_and_shape_a_category():
  assert style.ORDER[:5] == categories.CATEGORIES
  for values in (style.SHAPES, *style.COLOURS.values()):
    assert len(set(values)) == len(values) == len(style.ORDER)


def test_rank():
  assert [style.rank(c) for c in ('REINIT', 'DATASET', 'BASE')] == [0, 4, 5]
  assert style.rank('') == style.rank(None) == style.rank('other') == 6


def test_present_keeps_the_order():
  assert style.present(['ARCH', 'REINIT', 'ARCH']) == ['REINIT', 'ARCH']
  assert style.present([]) == []

"""The picture of a page, in a headless Chromium."""

import pathlib
import runpy

import numpy as np
import pytest
from PIL import Image

SCRIPT = pathlib.Path(__file__).resolve().parents[1] / 'screenshot.py'


@pytest.mark.slow
@pytest.mark.parametrize(('dark', 'paper'), [(False, 255), (True, 21)])
def test_a_section_is_taken_as_it_is_read(browser, path, tmp_path, dark, paper):
  script = runpy.run_path(str(SCRIPT))
  picture = tmp_path / 'page.png'
  script['take'](
    browser, path, picture, section='one-pair', width=900, scale=1, dark=dark
  )
  pixels = np.asarray(Image.open(picture).convert('RGB')).astype(int)
  height, width, _ = pixels.shape
  assert 500 < width <= 900
  assert height > 500
  assert pixels[0, 0, 0] == paper
  # The heat map is drawn: its colours are many.
  assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 100

"""Position embeddings of another grid, against timm's."""

import warnings

import numpy as np
import pytest

from overlap.models.checkpoints import positions


def fit(values, count, tokens=1, family='vit'):
  at, token = positions._LEAVES[family]
  leaves = {at: values}
  if tokens:
    leaves[token] = np.zeros((1, tokens, values.shape[2]), 'f')
  shape = (1, count, values.shape[2])
  template = {at: np.broadcast_to(np.float32(0), shape)}
  got, said = positions.fit(family, leaves, template)
  return got[at], said


def random(count, width=5):
  return np.random.default_rng(0).normal(size=(1, count, width)).astype('f')


@pytest.mark.parametrize('family', ['vit', 'clip'])
@pytest.mark.parametrize('tokens', [0, 1, 5])
@pytest.mark.parametrize(
  ('old', 'new'), [(6, 4), (4, 6), (14, 24), (24, 14), (7, 16), (3, 2), (1, 3)]
)
def test_it_equals_timm(family, tokens, old, new):
  torch = pytest.importorskip('torch')
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    timm_layers = pytest.importorskip('timm.layers')
  values = random(tokens + old * old)
  expected = timm_layers.resample_abs_pos_embed(
    torch.from_numpy(values), [new, new], num_prefix_tokens=tokens
  ).numpy()
  got, said = fit(values, tokens + new * new, tokens, family)
  np.testing.assert_allclose(got, expected, atol=1e-5)
  assert said == f'positions of {old}×{old} patches interpolated to {new}×{new}'


def test_positions_of_patches_alone():
  """As DeiT III's: the tokens before the patches have none."""
  values = random(9)
  got, said = fit(values, 14, tokens=5)
  assert not got[:, :5].any()
  np.testing.assert_array_equal(got[:, 5:], values)
  assert said == 'tokens before the patches have no positions'
  got, _ = fit(random(16), 10)
  assert got.shape == (1, 10, 5)
  assert not got[:, :1].any()


@pytest.mark.parametrize(
  ('held', 'count', 'tokens'),
  [(17, 17, 1), (13, 17, 1), (17, 13, 1), (13, 12, 1)],
)
def test_what_is_no_other_square_is_left(held, count, tokens):
  values = random(held)
  got, said = fit(values, count, tokens)
  np.testing.assert_array_equal(got, values)
  assert said == ''


def test_other_widths_and_families_are_left():
  values = random(17)
  leaves = {'params/positions': values}
  template = {'params/positions': np.zeros((1, 10, 7))}
  for family in ('vit', 'clip', 'resnet'):
    got, said = positions.fit(family, leaves, template)
    assert got['params/positions'] is values
    assert said == ''


def test_a_constant_stays_one():
  got = positions.resize_grid(np.full((1, 49, 3), 2.5), 7, 16)
  np.testing.assert_allclose(got, 2.5, rtol=1e-6)

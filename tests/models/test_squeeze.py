"""Squeeze-and-excitation against its definition."""

import flax.linen as nn
import jax
import numpy as np
import pytest

from overlap.models import squeeze


def sigmoid(x):
  return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize('size', [(3, 5), (1, 1)])
def test_channels_are_scaled_by_what_their_means_say(size):
  rng = np.random.default_rng(0)
  x = rng.normal(size=(2, *size, 4)).astype('f')
  module = squeeze.SqueezeExcite(3)
  variables = jax.jit(module.init)(jax.random.key(0), x)
  assert {
    '/'.join(key.key for key in path): leaf.shape
    for path, leaf in jax.tree.flatten_with_path(variables['params'])[0]
  } == {
    'reduce/kernel': (4, 3),
    'reduce/bias': (3,),
    'expand/kernel': (3, 4),
    'expand/bias': (4,),
  }
  variables = jax.tree.map(
    lambda leaf: rng.normal(size=leaf.shape).astype('f'), variables
  )
  first, second = (variables['params'][name] for name in ('reduce', 'expand'))
  inner = x.mean((1, 2)) @ first['kernel'] + first['bias']
  outer = np.maximum(inner, 0) @ second['kernel'] + second['bias']
  expected = x * sigmoid(outer)[:, None, None]
  y = jax.jit(module.apply)(variables, x)
  np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


def test_activation_and_gate_are_the_ones_given():
  x = np.random.default_rng(0).normal(size=(1, 2, 2, 4)).astype('f')
  variables = jax.jit(squeeze.SqueezeExcite(2).init)(jax.random.key(0), x)
  outputs = [
    jax.jit(squeeze.SqueezeExcite(2, **options).apply)(variables, x)
    for options in ({}, {'activation': nn.silu}, {'gate': nn.hard_sigmoid})
  ]
  assert np.abs(outputs[0] - outputs[1]).max() > 1e-4
  assert np.abs(outputs[0] - outputs[2]).max() > 1e-4

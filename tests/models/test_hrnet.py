"""HRNet: sizes, parity with timm, which images fit."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap.core import errors
from overlap.models import hrnet

SMALL_V1 = {
  'width': 16,
  'first_filters': 32,
  'first_blocks': 1,
  'exchanges': (1, 1, 1),
}


# Wang et al., 'Deep High-Resolution Representation Learning for Visual
# Recognition', appendix: 15.6, 13.2 and 21.3 million, as timm counts them.
@pytest.mark.slow_except('options1-13187464')
@pytest.mark.parametrize(
  ('options', 'parameters'),
  [
    ({}, 15_597_464),
    (SMALL_V1, 13_187_464),
    (
      {'first_blocks': 4, 'exchanges': (1, 4, 3), 'branch_blocks': 4},
      21_299_004,
    ),
  ],
)
def test_number_of_parameters(count_parameters, options, parameters):
  model = hrnet.HRNet(num_classes=1000, **options)
  assert count_parameters(model) == parameters


# The stem makes maps of 8×8 of 29×29 pixels, as of 32×32.
@pytest.mark.slow
def test_it_equals_timm(assert_equals_timm):
  model = hrnet.HRNet(num_classes=7, **SMALL_V1)
  assert_equals_timm(model, 'hrnet', 'hrnet_w18_small', (2, 29, 29, 3))


@pytest.mark.slow
@pytest.mark.parametrize(('size', 'gradient'), [(32, True), (224, False)])
def test_the_second_version_equals_timm(assert_equals_timm, size, gradient):
  model = hrnet.HRNet(num_classes=7)
  image = (2, size, size, 3)
  assert_equals_timm(
    model, 'hrnet', 'hrnet_w18_small_v2', image, gradient=gradient
  )


def small(**options):
  return hrnet.HRNet(
    num_classes=3,
    width=4,
    stem_filters=(4, 4),
    first_filters=4,
    first_blocks=1,
    branch_blocks=1,
    top_filters=8,
    **{'exchanges': (1,), **options},
  )


def test_branches_are_half_as_large_and_twice_as_wide():
  model = small(stem_strides=(1, 1), exchanges=(1, 1))
  x = jnp.zeros((1, 8, 8, 1))

  def exchanges(x):
    (_, features), state = model.init_with_output(
      jax.random.key(0),
      x,
      mutable=['params', 'batch_stats', 'intermediates'],
      capture_intermediates=lambda m, _: isinstance(m, hrnet.Exchange),
    )
    return features, state['intermediates']

  features, found = jax.eval_shape(exchanges, x)
  assert features.shape == (1, 8)
  branches = [(1, 8, 8, 4), (1, 4, 4, 8), (1, 2, 2, 16)]
  for stage in (2, 3):
    (outputs,) = found[f'stage{stage}_exchange1']['__call__']
    assert [output.shape for output in outputs] == branches[:stage]


def test_what_a_branch_sends_stands_alone():
  """The first branch's sum with the second branch's message taken away."""
  rng = np.random.default_rng(0)
  branches = [
    rng.normal(size=(2, 4, 4, 3)).astype('f'),
    rng.normal(size=(2, 2, 2, 6)).astype('f'),
  ]
  exchange = hrnet.Exchange(blocks=1)
  init = functools.partial(exchange.init, train=False)
  apply = jax.jit(functools.partial(exchange.apply, train=False))
  variables = jax.jit(init)(jax.random.key(0), branches)
  variables['params']['branch2_to1']['norm']['scale'] *= 0
  first, second = apply(variables, branches)
  same, changed = apply(variables, [branches[0], 2 * branches[1]])
  np.testing.assert_array_equal(first, same)
  assert np.abs(second - changed).max() > 0.1


def test_images_that_can_not_be_halved_are_one_line():
  model = hrnet.HRNet(num_classes=2)
  message = r'multiples of 8, got 15×16\. Set input\.size to a multiple of 8'
  with pytest.raises(errors.UsageError, match=message) as caught:
    jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 60, 64, 3)))
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
  ('options', 'message'),
  [
    ({'exchanges': (1, 1, 1, 1)}, 'exchanges must be of at most 3 stages'),
    ({'stem_strides': (2, 3)}, 'stem_strides must be twice 1 or 2'),
    ({'width': 0}, 'width must be positive'),
  ],
)
def test_options_that_can_not_be(options, message):
  with pytest.raises(errors.UsageError, match=message):
    hrnet.HRNet(num_classes=2, **options)

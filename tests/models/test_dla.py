"""DLA: sizes, parity with timm, what roots take."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap.core import errors
from overlap.models import dla
from overlap.models.checkpoints import dla as dla_checkpoints

DLA34 = {
  'depths': (1, 1, 1, 2, 2, 1),
  'filters': (16, 32, 64, 128, 256, 512),
  'block': 'basic',
}
DLA102 = {'depths': (1, 1, 1, 3, 4, 1), 'residual_roots': True}


# timm's; Yu et al., table 2, has 15.7, 22.3 (with projections that are never
# called) and 33.7 million.
@pytest.mark.slow_except('options0-22036632')
@pytest.mark.parametrize(
  ('options', 'parameters'),
  [({}, 22_036_632), (DLA34, 15_742_104), (DLA102, 33_268_888)],
)
def test_number_of_parameters(count_parameters, options, parameters):
  model = dla.DLA(num_classes=1000, **options)
  assert count_parameters(model) == parameters


# 63 becomes 32 in the first convolution of stride 2, as 64 does.
@pytest.mark.slow_except('dla60-options0-64-False')
@pytest.mark.parametrize(
  ('timm_name', 'options', 'size', 'gradient'),
  [('dla60', {}, 64, False), ('dla34', DLA34, 63, True)],
)
def test_it_equals_timm(assert_equals_timm, timm_name, options, size, gradient):
  model = dla.DLA(num_classes=7, **options)
  assert_equals_timm(
    model, 'dla', timm_name, (2, size, size, 3), gradient=gradient
  )


@pytest.mark.slow
def test_it_equals_timm_at_the_papers_size(assert_equals_timm):
  model = dla.DLA(num_classes=7)
  assert_equals_timm(model, 'dla', 'dla60', (2, 224, 224, 3))


@pytest.mark.slow
def test_residual_roots_equal_timm(assert_equals_timm):
  model = dla.DLA(num_classes=7, **DLA102)
  assert_equals_timm(model, 'dla', 'dla102', (2, 32, 32, 3))


@pytest.mark.parametrize('depth', [1, 2, 3])
@pytest.mark.parametrize('keeps_input', [False, True])
def test_the_last_root_takes_the_maps_of_all_depths(depth, keeps_input):
  tree = dla.Tree(depth, filters=8, keeps_input=keeps_input)
  variables = jax.eval_shape(
    lambda x: tree.init(jax.random.key(0), x, train=False),
    jnp.zeros((1, 4, 4, 5)),
  )
  inner = variables['params']
  for _ in range(depth - 1):
    # The other roots take their own two blocks' alone.
    first = inner['tree1']
    while 'root' not in first:
      first = first['tree1']
    assert first['root']['conv']['kernel'].shape == (16, 8)
    inner = inner['tree2']
  taken = 8 * (2 + depth - 1) + 5 * keeps_input
  assert inner['root']['conv']['kernel'].shape == (taken, 8)


def test_projections_that_are_never_called_are_left_out():
  def named(*names):
    return {f'{name}.weight': np.ones((2, 2, 1, 1), 'f') for name in names}

  used = named('level2.root.conv', 'level2.project.0')
  unused = named('level3.project.0', 'level3.tree1.tree1.conv1')
  (params,) = dla_checkpoints.convert_dla(used | unused).values()
  assert set(params['level2']) == {'root', 'project'}
  assert set(params['level3']) == {'tree1'}


def test_strides_say_the_size_of_each_level():
  model = dla.DLA(
    num_classes=2,
    depths=(1, 2, 1, 1),
    filters=(4, 4, 8, 8),
    strides=(1, 1, 1, 2),
  )

  def levels(x):
    _, state = model.init_with_output(
      jax.random.key(0),
      x,
      mutable=['params', 'batch_stats', 'intermediates'],
      capture_intermediates=lambda module, method: (
        isinstance(module, dla.Tree) and method == '__call__'
      ),
    )
    return state['intermediates'], state['params']

  found, params = jax.eval_shape(levels, jnp.zeros((1, 6, 6, 1)))
  shapes = [found[f'level{i}']['__call__'][0].shape for i in (2, 3)]
  assert shapes == [(1, 6, 6, 8), (1, 3, 3, 8)]
  assert {'level1_conv1', 'level1_conv2'} < set(params)


def test_images_that_can_not_be_halved_are_one_line():
  model = dla.DLA(num_classes=2)
  with pytest.raises(errors.UsageError, match='got 7×8') as caught:
    jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 28, 32, 3)))
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
  ('options', 'message'),
  [
    ({'block': 'plain'}, 'Choices: basic, bottleneck'),
    ({'depths': (1, 1)}, 'depths must be of more than 2 levels'),
    ({'filters': (16, 32)}, 'filters must be 6 numbers'),
    ({'strides': (1, 2, 2, 2, 2, 4)}, 'strides must be 6 times 1 or 2'),
  ],
)
def test_options_that_can_not_be(options, message):
  with pytest.raises(errors.UsageError, match=message):
    dla.DLA(num_classes=2, **options)

"""bfloat16: of the computation alone, in every method's step."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap import models
from overlap.models.clip_text import CLIPText
from overlap.predict import forward
from overlap.train import (
  distill,
  image_text,
  mpl,
  optimizer,
  simclr,
  step,
  supervised,
)

INPUT = forward.Input(8, 1, (0.5,), (0.25,))
BATCH = {
  'image': np.zeros((4, 8, 8, 1), np.uint8),
  'unlabelled': np.zeros((4, 8, 8, 1), np.uint8),
  'label': np.zeros(4, np.int32),
  'tokens': np.full((4, 5), 1, np.int32),
  'mask': np.ones((4, 5), bool),
}
TOWER = CLIPText(
  vocab_size=9, context_length=5, hidden_size=8, depth=1, num_heads=2,
  projection_size=8, end_token=1, dtype=jnp.bfloat16,
)  # fmt: skip


def build(dtype):
  return models.build(
    'resnet', num_classes=3, stage_sizes=(1,), block='basic', width=8,
    stem='small', dtype=dtype,
  )  # fmt: skip


def variables_of(module, *args):
  return jax.eval_shape(module.init, jax.random.key(0), *args)


def method(name, dtype):
  """The loss, and the shapes of parameters, statistics and constants."""
  model = build(dtype)
  found = variables_of(model, jnp.zeros((1, 8, 8, 1)))
  params, stats, constants = found['params'], found['batch_stats'], ()
  common = {'label_smoothing': 0.1}
  if name == 'supervised':
    loss = supervised.make_loss(
      model, INPUT, policy='flip', mixup_alpha=0.2, **common
    )
  elif name == 'simclr':
    head = simclr.Projection(8, 4)
    loss = simclr.make_loss(model, INPUT, head, policy='flip', temperature=0.5)
    params = {
      'encoder': params,
      'projection': variables_of(head, jnp.zeros((1, 8)))['params'],
    }
  elif name == 'distill':
    loss = distill.make_loss(
      model, INPUT, model, INPUT, policy='flip', kind='soft', weight=0.5,
      temperature=2.0, **common,
    )  # fmt: skip
    constants = {'teacher': found}
  elif name == 'mpl':
    loss = mpl.make_loss(
      model, INPUT, weak='none', strong='flip', gradient='exact',
      step_size=0.1, consistency=1.0, temperature=1.0, **common,
    )  # fmt: skip
    params = {'student': params, 'teacher': params}
    stats = {'student': stats, 'teacher': stats}
  else:
    loss = image_text.make_loss(model, INPUT, TOWER, policy='flip', **common)
    params = {
      'image': params,
      'text': variables_of(TOWER, BATCH['tokens'])['params'],
      'log_scale': jax.ShapeDtypeStruct((), jnp.float32),
    }
  return loss, params, stats, constants


def operands(jaxpr, primitive):
  """The types of what goes into all operations of a kind, at any depth."""
  for equation in jaxpr.eqns:
    if equation.primitive.name == primitive:
      yield {v.aval.dtype.name for v in equation.invars}
    for parameter in jax.tree.leaves(
      list(equation.params.values()),
      is_leaf=lambda leaf: hasattr(leaf, 'eqns') or hasattr(leaf, 'jaxpr'),
    ):
      inner = getattr(parameter, 'jaxpr', parameter)
      if hasattr(inner, 'eqns'):
        yield from operands(inner, primitive)


METHODS = ('supervised', 'simclr', 'distill', 'mpl', 'image_text')
SGD = optimizer.build(
  'sgd', learning_rate=0.1, warmup_steps=0, total_steps=9, weight_decay=1e-4
)


def trace(name, dtype):
  loss, params, stats, constants = method(name, dtype)
  zeros = functools.partial(
    jax.tree.map, lambda leaf: jnp.zeros(leaf.shape, leaf.dtype)
  )
  state = step.create_state(zeros(params), zeros(stats), SGD, 0.9)
  run = functools.partial(
    step.train_step, loss=loss, optimizer=SGD, ema_decay=0.9
  )
  return jax.make_jaxpr(run, return_shape=True)(
    state, zeros(constants), BATCH, np.uint32(0)
  )


@pytest.mark.parametrize('name', METHODS)
def test_weights_statistics_and_losses_stay_float32(name):
  _, (state, metrics) = trace(name, jnp.bfloat16)
  leaves = [*jax.tree.leaves(state), *jax.tree.leaves(metrics)]
  types = {leaf.dtype.name for leaf in leaves}
  assert types == {'float32', 'int32'}  # Steps are counted in whole numbers.
  assert metrics['loss'].dtype == jnp.float32


@pytest.mark.parametrize('name', METHODS)
@pytest.mark.parametrize('dtype', ['bfloat16', 'float32'])
def test_convolutions_are_computed_in_the_models_type(name, dtype):
  jaxpr, _ = trace(name, jnp.dtype(dtype).type)
  found = list(operands(jaxpr.jaxpr, 'conv_general_dilated'))
  # A stem and two convolutions, forward and back.
  assert len(found) >= 3 * 2
  assert set.union(*found) == {dtype}


def test_a_text_tower_is_computed_in_its_type():
  params = variables_of(TOWER, BATCH['tokens'])
  zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), params)
  jaxpr = jax.make_jaxpr(TOWER.apply)(zeros, BATCH['tokens'], BATCH['mask'])
  found = list(operands(jaxpr.jaxpr, 'dot_general'))
  assert len(found) >= 5
  assert {'bfloat16'} in found
  assert found.count({'bfloat16'}) >= len(found) - 2  # Attention's softmax.

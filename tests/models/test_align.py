"""ALIGN's towers: sizes, parity with transformers, padding, options."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap import models
from overlap.core import errors
from overlap.models import align, bert, checkpoints

SMALL_TEXT = {
  'vocab_size': 40,
  'context_length': 20,
  'hidden_size': 16,
  'depth': 2,
  'num_heads': 2,
  'mlp_ratio': 2.0,
  'projection_size': 160,
}
# Of BERT, which no image-text model reads: a dense layer on the first token.
POOLER = 768 * 768 + 768


def count(module, *args):
  variables = jax.eval_shape(module.init, jax.random.key(0), *args)
  return sum(leaf.size for leaf in jax.tree.leaves(variables['params']))


def test_number_of_parameters():
  """Of kakaobrain/align-base: both towers and the temperature."""
  image = count(align.image_tower(), jnp.zeros((1, 289, 289, 3)))
  text = count(bert.BERTText(), jnp.zeros((1, 7), jnp.int32))
  assert image + text + POOLER + 1 == 172_117_841


def test_transformers_counts_the_same(towers):
  torch = pytest.importorskip('torch')
  transformers = pytest.importorskip('transformers')
  config = transformers.AlignConfig(vision_config={'hidden_dim': 640})
  with torch.device('meta'):
    theirs = transformers.AlignModel(config)
  assert sum(p.numel() for p in theirs.parameters()) == 172_117_841


def with_head(model, state, images):
  """Their weights in `model`, and no head."""
  template = jax.eval_shape(model.init, jax.random.key(0), images)
  variables = checkpoints.fill(
    'align', state, template=template, skip_head=True
  )
  variables['params']['head'] = {
    name: np.zeros(leaf.shape, 'f')
    for name, leaf in template['params']['head'].items()
  }
  return variables


@pytest.mark.slow_except('shape1-projected')
@pytest.mark.parametrize(
  ('shape', 'representation'), [((40, 57), 'pooled'), ((45, 40), 'projected')]
)
def test_images_equal_transformers(towers, shape, representation):
  theirs = towers.align()
  model = align.ALIGN(
    num_classes=2,
    width=0.5,
    depth=0.5,
    representation=representation,
  )
  images = np.random.default_rng(0).normal(size=(2, *shape, 3)).astype('f')
  variables = with_head(model, towers.state_of(theirs), images)

  def reference(x):
    features = theirs.get_image_features(x)
    if representation == 'projected':
      features = features / features.norm(dim=1, keepdim=True)
    return features

  towers.assert_same_images(
    lambda x: model.apply(variables, x)[1], reference, images
  )


def tokens():
  """Random tokens, and which of them are no padding."""
  ids = np.random.default_rng(0).integers(1, 40, (4, 9)).astype(np.int32)
  mask = np.arange(9) < np.array([9, 3, 1, 6])[:, None]
  return np.where(mask, ids, 0), mask


def test_texts_equal_transformers(towers):
  torch = pytest.importorskip('torch')
  theirs = towers.align()
  model = bert.BERTText(**SMALL_TEXT)
  ids, mask = tokens()
  template = jax.eval_shape(model.init, jax.random.key(0), ids)
  state = towers.state_of(theirs)
  variables = checkpoints.fill('align_text', state, template=template)
  with torch.no_grad():
    want = theirs.get_text_features(
      torch.from_numpy(ids).long(),
      attention_mask=torch.from_numpy(mask).long(),
    ).numpy()
  got = jax.jit(model.apply)(variables, ids, mask)
  towers.assert_close(got, want, 1e-4)
  # Without a mask the padding would be read.
  assert np.abs(model.apply(variables, ids) - want).max() > 0.01


@pytest.mark.slow
def test_the_published_size_equals_transformers_at_289(towers):
  torch = pytest.importorskip('torch')
  transformers = pytest.importorskip('transformers')
  config = transformers.AlignConfig(vision_config={'hidden_dim': 640})
  images = np.random.default_rng(0).normal(size=(2, 289, 289, 3)).astype('f')
  theirs = towers.randomise(transformers.AlignModel(config))
  theirs = towers.settle(theirs, images)
  model = align.ALIGN(num_classes=2, representation='pooled')
  variables = with_head(model, towers.state_of(theirs), images)
  with torch.no_grad():
    x = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    want = theirs.double().get_image_features(x.double()).numpy()
  got = jax.jit(model.apply)(variables, images)[1]
  towers.assert_close(got, want, 1e-4)


@pytest.mark.parametrize(
  ('options', 'text'),
  [
    ({'width': 0}, 'width must be positive'),
    ({'depth': -1.0}, 'depth must be positive'),
    ({'representation': 'token'}, 'projected, pooled'),
    ({'drop_path_rate': 1.0}, r'drop_path_rate must be in \[0, 1\)'),
  ],
)
def test_a_wrong_option_is_one_line(options, text):
  with pytest.raises(errors.UsageError, match=text) as caught:
    models.build('align', num_classes=2, **options)
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize('shape', [(31, 40), (40, 31), (0, 0)])
def test_an_image_that_is_too_small_is_one_line(shape):
  model = align.ALIGN(num_classes=2, width=0.25, depth=0.25)
  text = f'{shape[0]}×{shape[1]}. Set input.size'
  with pytest.raises(errors.UsageError, match=text) as caught:
    model.init(jax.random.key(0), jnp.zeros((1, *shape, 3)))
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
def test_outputs_and_variables_are_float32(dtype):
  model = models.build(
    'align', num_classes=5, dtype=dtype, width=0.25, depth=0.25
  )
  made = jax.eval_shape(
    model.init_with_output, jax.random.key(0), jnp.zeros((3, 32, 32, 1))
  )
  assert {leaf.dtype for leaf in jax.tree.leaves(made)} == {
    jnp.dtype('float32')
  }


def test_logits_are_the_head_of_features_of_unit_length():
  model = align.ALIGN(num_classes=5, width=0.25, depth=0.1)
  x = np.random.default_rng(0).normal(size=(3, 32, 32, 1)).astype('f')
  rng = np.random.default_rng(1)

  def draw(leaf):
    if leaf.ndim == 1:  # Above 0, as variances must be.
      return rng.uniform(0.5, 1.5, leaf.shape).astype('f')
    fan_in = leaf.size / leaf.shape[-1]
    return rng.normal(0, fan_in**-0.5, leaf.shape).astype('f')

  variables = jax.tree.map(
    draw, jax.eval_shape(model.init, jax.random.key(0), x)
  )
  logits, features = jax.jit(model.apply)(variables, x)
  head = variables['params']['head']
  want = np.asarray(features) @ head['kernel'] + head['bias']
  np.testing.assert_allclose(logits, want, rtol=1e-4, atol=1e-5)
  lengths = np.linalg.norm(features, axis=1)
  np.testing.assert_allclose(lengths, np.ones(3), rtol=1e-3)


def test_a_text_that_is_too_long_is_one_line():
  ids = jnp.zeros((1, 21), jnp.int32)
  with pytest.raises(errors.UsageError, match=r'at most 20.*got 21'):
    bert.BERTText(**SMALL_TEXT).init(jax.random.key(0), ids)


def test_a_foreign_name_is_one_line():
  state = {'text_model.encoder.layer.0.crossattention.x.weight': np.zeros(1)}
  with pytest.raises(errors.DataError, match='crossattention'):
    checkpoints.fill('align_text', state, template={})

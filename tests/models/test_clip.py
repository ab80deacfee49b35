"""CLIP's towers: sizes, parity with transformers, options."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap import models
from overlap.core import errors
from overlap.models import checkpoints, clip, clip_text

SMALL_IMAGE = {
  'patch_size': 8,
  'hidden_size': 24,
  'depth': 2,
  'num_heads': 3,
  'mlp_ratio': 2.0,
  'projection_size': 12,
}
SMALL_TEXT = {
  'vocab_size': 40,
  'context_length': 32,
  'hidden_size': 16,
  'depth': 2,
  'num_heads': 2,
  'mlp_ratio': 3.0,
  'projection_size': 12,
  'end_token': 39,
}
LARGE = {'patch_size': 14, 'hidden_size': 1024, 'depth': 24, 'num_heads': 16}
LARGE_TEXT = {'hidden_size': 768, 'num_heads': 12}


def count(module, *args):
  variables = jax.eval_shape(module.init, jax.random.key(0), *args)
  return sum(leaf.size for leaf in jax.tree.leaves(variables['params']))


def tokens(seed=0, texts=5, length=9):
  """Random tokens; the end token comes at some place, and again behind it."""
  rng = np.random.default_rng(seed)
  ids = rng.integers(0, 38, (texts, length))
  ends = rng.permutation(np.arange(length - texts, length))
  ids[np.arange(length) >= ends[:, None]] = 39
  ids[:, 0] = 38
  return ids.astype(np.int32)


# Of both towers and the logits' scale, as OpenAI's notebook prints it for
# ViT-B/32, and as transformers counts its own models.
@pytest.mark.slow_except('224-options0-text_options0-151277313')
@pytest.mark.parametrize(
  ('side', 'options', 'text_options', 'parameters'),
  [
    (224, {}, {}, 151_277_313),
    (224, {'patch_size': 16}, {}, 149_620_737),
    (
      336,
      LARGE | {'projection_size': 768},
      LARGE_TEXT | {'projection_size': 768},
      427_944_193,
    ),
  ],
)
def test_number_of_parameters(side, options, text_options, parameters):
  image = count(clip.ImageTower(**options), jnp.zeros((1, side, side, 3)))
  text = count(clip_text.CLIPText(**text_options), jnp.zeros((1, 7), jnp.int32))
  assert image + text + 1 == parameters
  model = models.build('clip', num_classes=10, **options)
  head = 10 * (options.get('projection_size', 512) + 1)
  assert count(model, jnp.zeros((1, side, side, 3))) == image + head


@pytest.mark.slow_except('projected-quick_gelu', 'pooled-gelu')
@pytest.mark.parametrize('activation', ['quick_gelu', 'gelu'])
@pytest.mark.parametrize('representation', clip.REPRESENTATIONS)
def test_images_equal_transformers(towers, activation, representation):
  theirs = towers.clip(hidden_act=activation)
  model = clip.CLIP(
    num_classes=5,
    **SMALL_IMAGE,
    activation=activation,
    representation=representation,
  )
  images = np.random.default_rng(0).normal(size=(3, 32, 32, 3)).astype('f')
  variables = with_head(model, towers.state_of(theirs), images)

  def reference(x):
    if representation == 'pooled':
      return theirs.vision_model(x).pooler_output
    features = theirs.get_image_features(x)
    return features / features.norm(dim=1, keepdim=True)

  towers.assert_same_images(
    lambda x: model.apply(variables, x)[1], reference, images
  )


def with_head(model, state, images):
  """Their weights in `model`, and a random head."""
  template = jax.eval_shape(model.init, jax.random.key(0), images)
  variables = checkpoints.fill('clip', state, template=template, skip_head=True)
  rng = np.random.default_rng(2)
  variables['params']['head'] = {
    name: rng.normal(size=leaf.shape).astype('f')
    for name, leaf in template['params']['head'].items()
  }
  return variables


@pytest.mark.parametrize(
  ('activation', 'end'), [('quick_gelu', 39), ('gelu', 39), ('quick_gelu', 2)]
)
def test_texts_equal_transformers(towers, activation, end):
  """With an end of 2, transformers takes the token of the greatest number."""
  torch = pytest.importorskip('torch')
  theirs = towers.clip(hidden_act=activation, eos_token_id=end)
  model = clip_text.CLIPText(**SMALL_TEXT, activation=activation)
  ids = tokens()
  template = jax.eval_shape(model.init, jax.random.key(0), ids)
  state = towers.state_of(theirs)
  variables = checkpoints.fill('clip_text', state, template=template)
  with torch.no_grad():
    want = theirs.get_text_features(torch.from_numpy(ids).long()).numpy()
  towers.assert_close(jax.jit(model.apply)(variables, ids), want, 1e-4)


@pytest.mark.slow
def test_vit_b_32_equals_transformers_at_224(towers):
  """The published size: 151 million random weights."""
  torch = pytest.importorskip('torch')
  transformers = pytest.importorskip('transformers')
  theirs = towers.randomise(transformers.CLIPModel(transformers.CLIPConfig()))
  images = np.random.default_rng(0).normal(size=(2, 224, 224, 3)).astype('f')
  model = clip.CLIP(num_classes=2)
  variables = with_head(model, towers.state_of(theirs), images)
  with torch.no_grad():
    want = theirs.get_image_features(
      torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    )
    want = (want / want.norm(dim=1, keepdim=True)).numpy()
  towers.assert_close(jax.jit(model.apply)(variables, images)[1], want, 1e-4)
  del variables
  ids = np.array([[49406, 320, 1125, 49407, 49407], [49406, 9, 5, 7, 49407]])
  text = clip_text.CLIPText()
  template = jax.eval_shape(text.init, jax.random.key(0), ids)
  state = towers.state_of(theirs)
  variables = checkpoints.fill('clip_text', state, template=template)
  with torch.no_grad():
    want = theirs.get_text_features(torch.from_numpy(ids)).numpy()
  towers.assert_close(jax.jit(text.apply)(variables, ids), want, 1e-4)


def test_what_follows_the_end_of_a_text_makes_no_difference():
  model = clip_text.CLIPText(**SMALL_TEXT)
  ids = tokens()
  variables = jax.jit(model.init)(jax.random.key(0), ids)
  apply = jax.jit(model.apply)
  longer = np.concatenate([ids, np.full((5, 4), 39, np.int32)], axis=1)
  np.testing.assert_allclose(
    apply(variables, longer), apply(variables, ids), rtol=1e-4, atol=1e-6
  )
  first = apply(variables, ids[:, :1] * 0 + ids[:, :1])
  assert np.abs(first - apply(variables, ids)).max() > 1e-4


@pytest.mark.parametrize('length', [33, 40])
def test_a_text_that_is_too_long_is_one_line(length):
  ids = jnp.zeros((1, length), jnp.int32)
  with pytest.raises(errors.UsageError, match=f'at most 32.*got {length}'):
    clip_text.CLIPText(**SMALL_TEXT).init(jax.random.key(0), ids)


def test_the_length_of_the_projection_makes_no_difference():
  model = clip.CLIP(num_classes=3, **SMALL_IMAGE)
  x = np.random.default_rng(0).normal(size=(2, 16, 24, 1)).astype('f')
  variables = jax.jit(model.init)(jax.random.key(0), x)
  apply = jax.jit(model.apply)
  before = apply(variables, x)
  np.testing.assert_allclose(
    np.linalg.norm(before[1], axis=1), np.ones(2), rtol=1e-5
  )
  variables['params']['image']['projection']['kernel'] *= 7
  for ours, want in zip(apply(variables, x), before, strict=True):
    np.testing.assert_allclose(ours, want, rtol=1e-4, atol=1e-6)


def test_unit_length_of_nothing_is_nothing():
  slopes = jax.grad(lambda x: clip.normalise(x).sum())(jnp.zeros((1, 3)))
  assert np.isfinite(slopes).all()
  assert not np.any(clip.normalise(jnp.zeros((1, 3))))


@pytest.mark.parametrize(
  ('options', 'text'),
  [
    ({'activation': 'relu'}, 'No activation of CLIP'),
    ({'representation': 'token'}, 'projected, pooled'),
    ({'num_heads': 5}, 'a divisor of hidden_size=768'),
    ({'patch_size': 0}, 'patch_size must be positive'),
    ({'projection_size': 0}, 'projection_size must be positive'),
    ({'mlp_ratio': 0.0}, 'mlp_ratio must be positive'),
  ],
)
def test_a_wrong_option_is_one_line(options, text):
  with pytest.raises(errors.UsageError, match=text) as caught:
    models.build('clip', num_classes=2, **options)
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
  ('options', 'text'),
  [
    ({'end_token': 49408}, 'one of the 49408 tokens, got 49408'),
    ({'end_token': -1}, 'one of the 49408 tokens, got -1'),
    ({'context_length': 0}, 'context_length must be positive'),
    ({'num_heads': 7}, 'a divisor of hidden_size=512'),
  ],
)
def test_a_wrong_option_of_a_text_tower_is_one_line(options, text):
  with pytest.raises(errors.UsageError, match=text):
    clip_text.CLIPText(**options)


def test_a_foreign_name_is_one_line():
  state = {'visual.trunk.conv1.weight': np.zeros((1, 1, 1, 1))}
  for name in ('clip', 'clip_text'):
    with pytest.raises(errors.DataError, match=r'visual\.trunk\.conv1'):
      checkpoints.fill(name, state, template={})


@pytest.mark.parametrize('missing', ['q_proj', 'k_proj', 'v_proj'])
def test_a_layer_without_all_of_its_parts_is_one_line(towers, missing):
  state = towers.state_of(towers.clip())
  del state[f'vision_model.encoder.layers.1.self_attn.{missing}.weight']
  with pytest.raises(errors.DataError, match=r'layers\.1\.self_attn\.'):
    checkpoints.fill('clip', state, template={})

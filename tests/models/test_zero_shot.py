"""Zero-shot heads, on arrays and with the text towers of transformers."""

import json

import jax
import numpy as np
import pytest

from overlap import models
from overlap.core import errors
from overlap.models import (
  checkpoints,
  text_encoder,
  tokenizers,
  zero_shot,
)
from overlap.models.checkpoints import configs

NAMES = ('cat', 'dog', 'small bird')
TEMPLATES = ('a photo of a {}.', 'a {}', 'photo of the small {} of a cat')
FAMILIES = {'clip': (32, 32), 'align': (40, 57)}


@pytest.fixture(params=FAMILIES)
def released(request, towers, tmp_path):
  """(family, transformers' model, the folder it is saved in)."""
  theirs = getattr(towers, request.param)()
  towers.write(theirs, tmp_path)
  return request.param, theirs, tmp_path


def load(family, place, **options):
  return text_encoder.load(family, str(place / 'model.safetensors'), **options)


def test_texts_are_encoded_as_by_transformers(towers, released):
  family, theirs, folder = released
  texts = [t.format(name) for t in TEMPLATES for name in NAMES]
  encode = load(family, folder)
  want = towers.text_features(theirs, folder, texts)
  towers.assert_close(encode(texts), want, 1e-4)
  # In other batches, and alone.
  small = encode.__class__(
    encode.model, encode.variables, encode.tokenizer, encode.scale, 4
  )
  towers.assert_close(small(texts), want, 1e-4)
  alone = [small([text]) for text in texts[::4]]
  towers.assert_close(np.concatenate(alone), want[::4], 1e-4)


def test_logits_are_those_of_transformers(towers, released):
  family, theirs, folder = released
  config = json.loads((folder / 'config.json').read_text())
  options = configs.options(family, config)
  model = models.build(family, num_classes=len(NAMES), **options)
  shape = (4, *FAMILIES[family], 3)
  images = np.random.default_rng(0).normal(size=shape).astype('f')
  template = jax.eval_shape(model.init, jax.random.key(0), images)
  variables = checkpoints.load_variables(
    family,
    str(folder / 'model.safetensors'),
    template=template,
    skip_head=True,
  )
  encode = load(family, folder)
  classes = zero_shot.encode_classes(encode, NAMES, ['a photo of a {}.'])
  variables['params']['head'] = zero_shot.head(classes, encode.scale)
  texts = [f'a photo of a {name}.' for name in NAMES]
  want = towers.zero_shot_logits(theirs, folder, texts, images)
  logits, features = jax.jit(model.apply)(variables, images)
  towers.assert_close(logits, want, 1e-4)
  pure = zero_shot.logits(np.asarray(features), classes, encode.scale)
  towers.assert_close(pure, want, 1e-4)


def test_classes_are_means_over_templates(towers, released):
  family, theirs, folder = released
  want = []
  for name in NAMES:
    of_name = [template.format(name) for template in TEMPLATES]
    features = towers.text_features(theirs, folder, of_name)
    unit = [f / np.sqrt(np.sum(f**2)) for f in features]
    mean = sum(unit) / len(unit)
    want.append(mean / np.sqrt(np.sum(mean**2)))
  got = zero_shot.encode_classes(load(family, folder), NAMES, TEMPLATES)
  towers.assert_close(got, np.array(want), 1e-4)


def test_a_head_gives_the_logits_of_unit_features():
  rng = np.random.default_rng(0)
  classes = zero_shot.class_features(rng.normal(size=(5, 3, 7)))
  np.testing.assert_allclose(np.linalg.norm(classes, axis=1), np.ones(5))
  images = rng.normal(size=(4, 7))
  head = zero_shot.head(classes, 20.0)
  want = zero_shot.logits(images, classes, 20.0)
  unit = zero_shot.normalise(images)
  np.testing.assert_allclose(unit @ head['kernel'], want, rtol=1e-5, atol=1e-5)
  assert not head['bias'].any()
  assert {leaf.dtype for leaf in head.values()} == {np.dtype('float32')}
  # The length of neither side matters.
  scaled = zero_shot.class_features(classes[:, None] * 3)
  np.testing.assert_allclose(scaled, classes)
  np.testing.assert_allclose(zero_shot.logits(9 * images, classes, 20.0), want)


def test_names_with_braces_are_taken_as_they_are():
  seen = []

  def encode(texts):
    seen.extend(texts)
    return np.ones((len(texts), 2))

  zero_shot.encode_classes(encode, ['a{}b', 'c'], ['the {}', '{}!'])
  assert seen == ['the a{}b', 'a{}b!', 'the c', 'c!']


@pytest.mark.parametrize(
  ('names', 'templates'), [([], ['a {}']), (['cat'], []), ([], [])]
)
def test_no_classes_or_templates_is_one_line(names, templates):
  with pytest.raises(errors.UsageError, match=f'got {len(names)} and'):
    zero_shot.encode_classes(None, names, templates)


@pytest.mark.parametrize(
  ('family', 'missing', 'wanted'),
  [
    ('clip', 'merges.txt', 'tokenizer.json, or vocab.json and merges.txt'),
    ('clip', 'vocab.json', 'tokenizer.json, or vocab.json and merges.txt'),
    ('align', 'vocab.txt', 'tokenizer.json, or vocab.txt'),
  ],
)
def test_a_missing_file_of_a_tokenizer_is_one_line(
  towers, tmp_path, family, missing, wanted
):
  towers.write(getattr(towers, family)(), tmp_path)
  (tmp_path / missing).unlink()
  with pytest.raises(errors.UsageError, match=wanted) as caught:
    load(family, tmp_path)
  assert str(tmp_path) in str(caught.value)
  assert '\n' not in str(caught.value)


def test_a_tokenizer_may_be_in_another_folder(towers, tmp_path):
  theirs = towers.clip()
  towers.write(theirs, tmp_path)
  other = tmp_path / 'texts'
  other.mkdir()
  for name in ('vocab.json', 'merges.txt', 'config.json'):
    (tmp_path / name).rename(other / name)
  with pytest.raises(errors.DataError, match=r'config\.json must exist'):
    load('clip', tmp_path)
  texts = ['a cat', 'a small dog', 'a bird of a cat']
  want = towers.text_features(theirs, other, texts)
  got = load('clip', tmp_path, folder=str(other))(texts)
  towers.assert_close(got, want, 1e-4)


def test_a_damaged_tokenizer_is_one_line(towers, tmp_path):
  towers.write(towers.clip(), tmp_path)
  (tmp_path / 'tokenizer.json').write_text('{"model": 3}')
  with pytest.raises(errors.DataError, match='files of a tokenizer') as caught:
    load('clip', tmp_path)
  assert '\n' not in str(caught.value)


def test_a_text_that_is_too_long_is_named(towers, tmp_path):
  towers.write_clip_tokenizer(tmp_path)
  tokenizer = tokenizers.load('clip', tmp_path, 8)
  tokens = tokenizer(['a cat', 'a dog of a cat'])
  # Of 'a cat' the start, two words and the end; the longer one has all.
  np.testing.assert_array_equal(tokens.mask.sum(1), [4, 7])
  np.testing.assert_array_equal(tokens.ids[:, 0], [38, 38])
  assert tokens.ids[0, 3] == tokens.ids[1, 6] == 39
  with pytest.raises(errors.UsageError, match=r"at most 8.*got 10 of 'a a a"):
    tokenizer(['a cat', 'a a a a a a a cat'])


def test_an_unknown_family_is_one_line():
  with pytest.raises(errors.UsageError, match='Choices: clip, align'):
    text_encoder.load('vit', 'x.safetensors')


@pytest.mark.parametrize(
  ('tower', 'change', 'text'),
  [
    ('clip', {'vision_config': {'layer_norm_eps': 1e-6}}, 'got 1e-06'),
    ('align', {'vision_config': {'pooling_type': 'max'}}, "got 'max'"),
    ('align_text', {'text_config': 3}, 'must be an object'),
  ],
)
def test_a_config_that_is_not_ours_is_one_line(tower, change, text):
  with pytest.raises(errors.DataError, match=text) as caught:
    configs.options(tower, change)
  assert '\n' not in str(caught.value)


def test_options_of_released_configs():
  """Of openai/clip-vit-large-patch14-336, as far as it is not the default."""
  config = {
    'projection_dim': 768,
    'vision_config': {
      'hidden_size': 1024,
      'intermediate_size': 4096,
      'num_attention_heads': 16,
      'num_hidden_layers': 24,
      'patch_size': 14,
    },
    'text_config': {'eos_token_id': 2},
    'text_config_dict': {
      'hidden_size': 768,
      'intermediate_size': 3072,
      'num_attention_heads': 12,
    },
  }
  assert configs.options('clip', config) == {
    'patch_size': 14,
    'hidden_size': 1024,
    'depth': 24,
    'num_heads': 16,
    'mlp_ratio': 4.0,
    'projection_size': 768,
    'activation': 'quick_gelu',
  }
  assert configs.options('clip_text', config) == {
    'vocab_size': 49408,
    'context_length': 77,
    'hidden_size': 768,
    'depth': 12,
    'num_heads': 12,
    'mlp_ratio': 4.0,
    'projection_size': 768,
    'activation': 'quick_gelu',
    'end_token': 49407,
  }

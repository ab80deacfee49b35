"""Image-text learning: its loss, its captions' part, and what it learns."""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from overlap.config import schema
from overlap.core import errors
from overlap.data import pairs
from overlap.data.examples import ArrayExamples
from overlap.distributed import meshes
from overlap.study import heads, specs
from overlap.train import image_text, optimizer, step, texts, trainer
from overlap.train.task import Task

NAMES = ('red', 'sky', 'oak', 'cup')


def quadrants(split, count, seed, names=NAMES):
  """Noise with one bright quadrant; the label says which of four."""
  rng = np.random.default_rng(seed)
  labels = rng.integers(0, 4, count).astype(np.int32)
  images = rng.integers(0, 120, (count, 8, 8, 1)).astype(np.uint8)
  for image, label in zip(images, labels):
    row, column = 4 * (label // 2), 4 * (label % 2)
    image[row : row + 4, column : column + 4] += 100
  return ArrayExamples(
    dataset='quadrants',
    split=split,
    ids=np.array([f'{split}/{i}' for i in range(count)]),
    class_names=names,
    images=images,
    labels=labels,
  )


TRAIN, HELDOUT = quadrants('train', 256, 0), quadrants('heldout', 64, 1)
OPTIONS = {
  'clip': {
    'patch_size': 4, 'hidden_size': 32, 'depth': 1, 'num_heads': 2,
    'projection_size': 32,
  },
  'resnet': {
    'stage_sizes': (1,), 'block': 'basic', 'width': 8, 'stem': 'small',
  },
}  # fmt: skip


def settings_of(architecture='clip', **flat):
  config = schema.model(architecture, **OPTIONS[architecture])
  config.update_from_flattened_dict(
    {
      'method': 'image_text',
      'image_text.total_steps': 300,
      'image_text.temperature': 0.3,
      'image_text.batch_size': 32,
      'image_text.learning_rate': 2e-3,
      'image_text.templates': ('a {}.', 'the {}'),
      'image_text.context_length': 16,
      'image_text.hidden_size': 32,
      'image_text.depth': 1,
      'train.optimizer': 'adamw',
      'train.learning_rate': 1e-3,
      'train.batch_size': 32,
      'head.fit': 'zero_shot',
      'head.templates': ('a {}.',),
    }
    | flat
  )
  return schema._plain(config.to_dict())


def task(folder, architecture='clip', examples=TRAIN, **flat):
  settings = settings_of(architecture, **flat)
  heads.check_head('toy', settings)
  texts.check_texts('toy', settings)
  return Task(
    name='toy',
    model=specs.build_model(settings, num_classes=4),
    model_input=specs.model_input(settings, examples),
    settings=settings,
    train=examples,
    heldout=HELDOUT,
    folder=folder,
    num_threads=1,
    batch_size=32,
  )


@pytest.mark.slow
def test_a_zero_shot_head_is_learned_without_a_classifier(tmp_path):
  one = task(tmp_path)
  variables, notes = trainer.train_model(one)
  assert notes['heldout_accuracy'] > 0.6  # Chance is 0.25.
  assert jax.tree.structure(variables) == jax.tree.structure(
    trainer.template(one)
  )


@pytest.mark.slow
def test_any_architecture_learns_and_takes_a_fitted_head(tmp_path):
  one = task(
    tmp_path,
    'resnet',
    **{
      'head.fit': 'lbfgs',
      'image_text.text_tower': 'align',
      'image_text.total_steps': 5,
    },
  )
  variables, notes = trainer.train_model(one)
  assert notes['head']['fit']['converged']
  before = trainer.initial_variables(one)
  for part in ('params', 'batch_stats'):
    moved = jax.tree.map(
      lambda a, b: np.abs(a - b).max(), variables[part], before[part]
    )
    assert min(jax.tree.leaves(moved)) > 0


@pytest.mark.slow
def test_fine_tuning_goes_on_from_the_texts(tmp_path):
  still, _ = trainer.train_model(
    task(tmp_path / 'a', **{'image_text.total_steps': 2})
  )
  moved, _ = trainer.train_model(
    task(
      tmp_path / 'b',
      **{'image_text.total_steps': 2, 'train.total_steps': 1},
    )
  )
  kernels = [v['params']['head']['kernel'] for v in (still, moved)]
  difference = np.abs(kernels[0] - kernels[1])
  assert 0 < difference.max() < 0.01


def test_texts_meet_the_images_whose_classes_they_name(tmp_path):
  one = task(tmp_path)
  tokenizer = texts.make_tokenizer(one.settings)
  batch = image_text.pairs(one, tokenizer).fetch(np.arange(9))
  assert batch['tokens'].shape == batch['mask'].shape == (9, 16)
  for row in range(9):
    content = batch['tokens'][row][batch['mask'][row]][1:-1]
    text = bytes(content.tolist()).decode()
    name = NAMES[TRAIN.labels()[row]]
    assert text in (f'a {name}.', f'the {name}')


def one_step(params, loss, transform, batch):
  """Parameters and metrics after a step over all devices."""
  state = meshes.replicate(step.create_state(params, {}, transform))
  state, metrics = step.train_step(
    state, (), meshes.shard(batch), np.uint32(0), loss=loss,
    optimizer=transform,
  )  # fmt: skip
  return jax.device_get((state.params, metrics))


def start(one, log_scale):
  tokenizer = texts.make_tokenizer(one.settings)
  tower = texts.make_tower(one.settings, tokenizer, projection_size=32)
  key = jax.random.key(0)
  params = {
    'image': trainer.initial_variables(one)['params'],
    'text': tower.init(key, jnp.zeros((1, 2), jnp.int32))['params'],
    'log_scale': np.float32(log_scale),
  }
  loss = image_text.make_loss(
    one.model, one.model_input, tower, policy='none', label_smoothing=0.0
  )
  batch = image_text.pairs(one, tokenizer).fetch(np.arange(8))
  return jax.device_get(params), loss, batch, tower


@pytest.mark.slow
def test_negatives_are_those_of_all_devices(tmp_path):
  """Four devices with two pairs each: every image meets eight texts."""
  assert jax.device_count() == 4
  one = task(tmp_path)
  params, loss, batch, tower = start(one, math.log(10))
  transform = optimizer.build(
    'sgd', learning_rate=0.1, warmup_steps=0, total_steps=9, weight_decay=0.0
  )
  _, metrics = one_step(params, loss, transform, batch)
  images = (batch['image'] / 255 - 0.5) / 0.25
  _, features = one.model.apply(
    {'params': params['image']}, images.astype(np.float32)
  )
  encoded = tower.apply(
    {'params': params['text']}, batch['tokens'], batch['mask']
  )
  encoded = encoded / np.linalg.norm(encoded, axis=1, keepdims=True)
  logits = 10 * np.asarray(features) @ np.asarray(encoded).T

  def rows(x):
    return np.mean(np.log(np.sum(np.exp(x), axis=1)) - np.diag(x))

  expected = (rows(logits) + rows(logits.T)) / 2
  np.testing.assert_allclose(metrics['loss'], expected, rtol=1e-4)


@pytest.mark.slow
def test_the_scale_does_not_exceed_a_hundred(tmp_path):
  one = task(tmp_path)
  params, loss, batch, _ = start(one, image_text.MOST_LOG_SCALE - 1e-3)

  def upwards(params, *args):
    value, aux = loss(params, *args)
    return value - 5 * params['log_scale'], aux

  transform = optimizer.build(
    'sgd', learning_rate=0.1, warmup_steps=0, total_steps=9,
    weight_decay=0.0, bounds=(('log_scale', image_text.MOST_LOG_SCALE),),
  )  # fmt: skip
  after, _ = one_step(params, upwards, transform, batch)
  np.testing.assert_allclose(np.exp(after['log_scale']), 100, rtol=1e-5)


@pytest.mark.parametrize(
  ('flat', 'match'),
  [
    ({'image_text.tokenizer': 'byte'}, "'bytes'"),
    ({'image_text.text_tower': 'bert'}, 'Choices: clip, align'),
    ({'image_text.total_steps': 0}, r'toy\.image_text\.total_steps'),
    ({'image_text.temperature': 0.001}, 'at least 0.01'),
    ({'image_text.tokenizer': 'clip'}, r'toy\.head\.text_folder'),
    ({'image_text.context_length': 2}, 'at least 3, got 2'),
    ({'image_text.templates': ('no place',)}, 'list or file of templates'),
  ],
)
def test_settings_that_can_not_be_are_one_line(flat, match):
  with pytest.raises(errors.UsageError, match=match) as caught:
    texts.check_texts('toy', settings_of(**flat))
  assert '\n' not in str(caught.value)


def test_a_zero_shot_head_wants_features_of_unit_length():
  with pytest.raises(errors.UsageError, match='model with texts'):
    heads.check_head('toy', settings_of('resnet'))


def test_it_is_a_framework_of_its_own():
  settings = settings_of()
  supervised = settings_of(method='supervised')
  axes = [specs.axes(s, 'd')['framework'] for s in (settings, supervised)]
  assert axes == ['image_text', 'supervised']
  assert specs.labels(settings, 'd') == {
    'method': 'Cont. / d', 'head': 'Zero Shot',
  }  # fmt: skip
  from_pairs = settings_of(**{'image_text.pairs': 'x/web.tsv'})
  assert specs.axes(from_pairs, 'd')['dataset'] == 'web'
  assert specs.labels(from_pairs, 'd')['method'] == 'Cont. / web'


@pytest.mark.slow
def test_pairs_of_a_table_take_the_place_of_the_classes(tmp_path):
  from PIL import Image

  lines = ['path\tcaption']
  for i in range(len(TRAIN)):
    image = TRAIN.read(np.array([i]))[0][0, ..., 0]
    Image.fromarray(image).save(tmp_path / f'{i}.png')
    lines.append(f'{i}.png\ta {NAMES[TRAIN.labels()[i]]}.')
  (tmp_path / 'web.tsv').write_text('\n'.join(lines))
  table = functools.partial(
    pairs.open_pairs, str(tmp_path / 'web.tsv'), image_size=8, channels=1
  )
  # Its own training split has other classes, which must make no difference.
  one = dataclasses.replace(
    task(tmp_path / 'run', examples=quadrants('t', 8, 5)), pairs=table
  )
  _, notes = trainer.train_model(one)
  assert notes['heldout_accuracy'] > 0.6  # Chance is 0.25.

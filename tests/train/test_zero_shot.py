"""A model of a study whose head is made of texts."""

import jax
import numpy as np
import pytest

from overlap.config import schema
from overlap.core import errors
from overlap.data.examples import ArrayExamples
from overlap.models.checkpoints import configs
from overlap.predict import forward as predict_forward
from overlap.study import specs
from overlap.train import trainer, zero_shot
from overlap.train.task import Task

NAMES = ('cat', 'dog', 'small_bird')


@pytest.fixture
def folder(towers, tmp_path):
  folder = tmp_path / 'clip'
  folder.mkdir()
  towers.write(towers.clip(), folder)
  return folder


def examples(names=NAMES):
  rng = np.random.default_rng(0)
  return ArrayExamples(
    dataset='noise',
    split='test',
    ids=np.array([f'test/{i}' for i in range(10)]),
    class_names=names,
    images=rng.integers(0, 256, (10, 32, 32, 3)).astype(np.uint8),
    labels=rng.integers(0, len(names), 10).astype(np.int32),
  )


def model_config(towers, folder, **flat):
  options = configs.options('clip', towers.clip().config.to_dict())
  config = schema.model('clip', **options)
  config.update_from_flattened_dict(
    {
      'init.checkpoint': str(folder / 'model.safetensors'),
      'head.fit': 'zero_shot',
      'head.templates': ('a photo of a {}.',),
      'train.total_steps': 0,
    }
    | flat
  )
  return config


def task(towers, folder, names=NAMES, **flat):
  settings = schema._plain(model_config(towers, folder, **flat).to_dict())
  zero_shot.check_zero_shot('toy', settings)
  split = examples(names)
  return Task(
    name='toy',
    model=specs.build_model(settings, num_classes=len(names)),
    model_input=specs.model_input(settings, split),
    settings=settings,
    train=split,
    heldout=split,
    folder=folder / 'run',
    num_threads=1,
    batch_size=8,
  )


def predicted(task, variables):
  forward = predict_forward.forward_function(task.model, task.model_input)
  outputs = list(
    predict_forward.run_forward(forward, variables, task.train, batch_size=8)
  )
  return np.concatenate([o.logits for o in outputs])


@pytest.mark.slow
def test_predictions_are_those_of_transformers(towers, folder):
  one = task(towers, folder)
  variables, notes = trainer.train_model(one)
  images = (one.train._images / np.float32(255) - 0.5) / np.float32(0.25)
  texts = ['a photo of a cat.', 'a photo of a dog.', 'a photo of a small bird.']
  want = towers.zero_shot_logits(towers.clip(), folder, texts, images)
  towers.assert_close(predicted(one, variables), want, 1e-4)
  right = np.mean(want.argmax(1) == one.train.labels())
  assert notes['heldout_accuracy'] == pytest.approx(right)
  assert jax.tree.structure(variables) == jax.tree.structure(
    trainer.template(one)
  )


@pytest.mark.slow
def test_training_goes_on_from_the_texts(towers, folder):
  still, _ = trainer.train_model(task(towers, folder))
  moving, _ = trainer.train_model(
    task(
      towers,
      folder,
      **{
        'train.total_steps': 1,
        'train.learning_rate': 1e-3,
        'train.batch_size': 8,
      },
    )
  )
  before = still['params']['head']['kernel']
  after = moving['params']['head']['kernel']
  assert 0 < np.abs(after - before).max() < 0.01 * np.abs(before).max()


def test_given_names_are_used(towers, folder):
  ours = zero_shot.head(task(towers, folder))
  flat = {'head.class_names': ('dog', 'cat', 'small bird')}
  theirs = zero_shot.head(task(towers, folder, **flat))
  np.testing.assert_allclose(
    theirs['kernel'][:, [1, 0, 2]], ours['kernel'], rtol=1e-4, atol=1e-5
  )


def test_a_list_of_another_length_is_one_line(towers, folder):
  flat = {'head.class_names': ('dog', 'cat')}
  with pytest.raises(errors.UsageError, match=r'each of the 3 classes.*got 2'):
    trainer.train_model(task(towers, folder, **flat))


@pytest.mark.parametrize(
  ('flat', 'text'),
  [
    ({'init.checkpoint': ''}, r"toy\.init\.checkpoint=''"),
    ({'architecture.name': 'vit'}, 'Choices: clip, align'),
    (
      {'architecture.options.representation': 'pooled'},
      "representation='projected', got 'pooled'",
    ),
    ({'head.templates': ('openai',)}, "Did you mean 'openai_7'"),
  ],
)
def test_what_is_missing_is_one_line(towers, folder, flat, text):
  config = model_config(towers, folder)
  config.architecture.options.representation = 'projected'
  config.update_from_flattened_dict(flat)
  settings = schema._plain(config.to_dict())
  with pytest.raises(errors.UsageError, match=text) as caught:
    zero_shot.check_zero_shot('toy', settings)
  assert '\n' not in str(caught.value)

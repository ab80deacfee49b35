"""Learning from another data set's labels first."""

import dataclasses

import jax
import numpy as np
import pytest

from overlap.config import schema
from overlap.core import errors
from overlap.data.examples import ArrayExamples
from overlap.study import specs
from overlap.train import pretrain, trainer
from overlap.train.task import Task


def quadrants(split, count, seed, halves=False):
  """Noise with one bright quadrant; the label says which, or which row."""
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
    class_names=tuple('ab') if halves else tuple('abcd'),
    images=images,
    labels=labels // 2 if halves else labels,
  )


OTHER = quadrants('pretrain', 256, 0)
TRAIN = quadrants('train', 16, 1, halves=True)
HELDOUT = quadrants('heldout', 128, 2, halves=True)


def settings_of(**flat):
  config = schema.model(
    'resnet', stage_sizes=(1,), block='basic', width=8, stem='small'
  )
  config.update_from_flattened_dict(
    {
      'method': 'pretrain',
      'pretrain.dataset': 'mnist_5k',
      'pretrain.total_steps': 60,
      'pretrain.batch_size': 32,
      'pretrain.learning_rate': 1e-2,
      'train.optimizer': 'adamw',
      'train.learning_rate': 1e-2,
      'train.total_steps': 0,
      'train.batch_size': 16,
      'head.fit': 'lbfgs',
    }
    | flat
  )
  return schema._plain(config.to_dict())


def task(folder, **flat):
  settings = settings_of(**flat)
  return Task(
    name='toy',
    model=specs.build_model(settings, num_classes=2),
    model_input=specs.model_input(settings, TRAIN),
    settings=settings,
    train=TRAIN,
    heldout=HELDOUT,
    folder=folder,
    num_threads=1,
    batch_size=32,
    pretrain=lambda: OTHER,
  )


@pytest.mark.slow
def test_features_of_the_other_data_set_are_what_a_head_needs(tmp_path):
  """Sixteen examples are enough on features learned from 256 others."""
  learned, notes = trainer.train_model(task(tmp_path / 'a'))
  assert notes['heldout_accuracy'] > 0.95
  assert learned['params']['head']['kernel'].shape == (8, 2)
  alone = task(tmp_path / 'b', **{'method': 'supervised'})
  _, notes_alone = trainer.train_model(alone)
  assert notes_alone['heldout_accuracy'] < notes['heldout_accuracy']


def test_fine_tuning_goes_on_from_there_with_a_new_classifier(tmp_path):
  frozen, _ = trainer.train_model(task(tmp_path / 'a'))
  # Too small a step to move anything but a classifier that begins at nothing.
  tuned, _ = trainer.train_model(
    task(
      tmp_path / 'b',
      **{
        'head.fit': 'trained', 'train.total_steps': 1,
        'train.learning_rate': 1e-9, 'train.weight_decay': 0.0,
      },
    )
  )  # fmt: skip
  for name in frozen['params']:
    if name != 'head':
      jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6),
        frozen['params'][name],
        tuned['params'][name],
      )
  assert (tmp_path / 'b/train').exists()
  assert (tmp_path / 'b/pretrain').exists()


def test_the_first_part_has_the_other_data_set_s_classes(tmp_path):
  first = pretrain._first(task(tmp_path))
  assert first.model.num_classes == 4
  assert trainer.template(first)['params']['head']['kernel'].shape == (8, 4)
  assert first.heldout is None
  assert dataclasses.replace(first, train=TRAIN).folder == first.folder


@pytest.mark.parametrize(
  ('changes', 'match'),
  [
    ({'pretrain.total_steps': 0}, r'pretrain\.total_steps must be positive'),
    ({'head.fit': 'zero_shot'}, 'must be trained or lbfgs'),
    ({'head.fit': 'trained'}, r'train\.total_steps must be positive'),
  ],
)
def test_what_can_not_be(changes, match):
  with pytest.raises(errors.UsageError, match=match):
    pretrain.check_pretrain('toy', settings_of(**changes))

"""Every training method learns a task a child could do, and says how well."""

import numpy as np
import pytest

from overlap.config import schema
from overlap.core import errors
from overlap.data.examples import ArrayExamples
from overlap.predict import forward as predict_forward
from overlap.study import specs
from overlap.train import trainer
from overlap.train.task import Task, Teacher


def examples(split, count, seed):
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
    class_names=tuple('abcd'),
    images=images,
    labels=labels,
  )


TRAIN, HELDOUT = examples('train', 256, 0), examples('heldout', 64, 1)


def task(folder, architecture='resnet', teacher=None, heldout=HELDOUT, **flat):
  options = {
    'resnet': {
      'stage_sizes': (1,), 'block': 'basic', 'width': 8, 'stem': 'small',
    },
    'vit': {
      'patch_size': 4, 'hidden_size': 16, 'depth': 1, 'num_heads': 2,
      'distilled': True,
    },
  }[architecture]  # fmt: skip
  config = schema.model(architecture, **options)
  config.update_from_flattened_dict(
    {
      'train.optimizer': 'adamw',
      'train.learning_rate': 1e-2,
      'train.total_steps': 120,
      'train.batch_size': 32,
    }
    | flat
  )
  settings = schema._plain(config.to_dict())
  return Task(
    name='toy',
    model=specs.build_model(settings, num_classes=4),
    model_input=specs.model_input(settings, TRAIN),
    settings=settings,
    train=TRAIN,
    heldout=heldout,
    folder=folder,
    num_threads=1,
    batch_size=32,
    teacher=teacher,
  )


def logits(task, variables):
  forward = predict_forward.forward_function(task.model, task.model_input)
  return np.concatenate(
    [
      outputs.logits
      for outputs in predict_forward.run_forward(
        forward, variables, HELDOUT, batch_size=20
      )
    ]
  )


def test_supervised_learns(tmp_path):
  _, notes = trainer.train_model(task(tmp_path))
  assert notes['heldout_accuracy'] > 0.95


def test_the_same_seed_gives_the_same_bits_and_another_does_not(tmp_path):
  made = []
  for name, seed in (('a', 0), ('b', 0), ('c', 1)):
    one = task(tmp_path / name, **{'seed': seed, 'train.total_steps': 4})
    made.append(logits(one, trainer.train_model(one)[0]))
  np.testing.assert_array_equal(made[0], made[1])
  assert not np.allclose(made[0], made[2])


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['hard', 'soft'])
def test_a_student_learns_from_its_teacher_alone(tmp_path, kind):
  first = task(tmp_path / 'teacher')
  variables, _ = trainer.train_model(first)
  student = task(
    tmp_path / 'student',
    architecture='vit',
    teacher=Teacher(first.model, first.model_input, variables),
    **{
      'method': 'distill',
      'distill.kind': kind,
      'distill.weight': 1.0,
      'train.total_steps': 240,
    },
  )
  made, _ = trainer.train_model(student)
  # By weight 1 no label was seen: only the second head can have learned.
  params = dict(made['params'])
  params['head'] = params['head_dist']
  taught = logits(student, {**made, 'params': params})
  assert np.mean(taught.argmax(-1) == HELDOUT.labels()) > 0.9


@pytest.mark.slow
def test_simclr_learns_without_labels_and_the_head_with(tmp_path):
  one = task(
    tmp_path,
    **{
      'method': 'simclr',
      'simclr.total_steps': 30,
      'simclr.batch_size': 32,
      'simclr.augment': 'crop(1)',
      'train.total_steps': 0,
      'head.fit': 'lbfgs',
    },
  )
  variables, notes = trainer.train_model(one)
  assert notes['heldout_accuracy'] > 0.9
  head = notes['head']
  chosen = head['strengths'].index(head['l2'])
  # Not the accuracy after the refit, which has seen the held-out examples.
  assert notes['heldout_accuracy'] == head['accuracies'][chosen]
  assert head['fit']['converged']
  assert logits(one, variables).shape == (64, 4)


@pytest.mark.slow
@pytest.mark.parametrize('method', ['supervised', 'simclr'])
def test_augmentation_may_begin_where_images_are_read(tmp_path, method):
  made = []
  # The whole of each image is what the crop keeps.
  whole = 'resized_crop((1, 1), (1, 1))'
  for name, policy, count in (
    ('device', 'crop(1)', 0), ('host', f'{whole}|crop(1)', 1),
    ('flipped', f'{whole}|flip(1.0)|crop(1)', 2),
  ):  # fmt: skip
    one = task(
      tmp_path / name,
      **{
        'method': method,
        'simclr.total_steps': 3,
        'simclr.batch_size': 32,
        'simclr.augment': policy,
        'simclr.augment_on_host': count,
        'train.total_steps': 3,
        'train.augment': policy,
        'train.augment_on_host': count,
      },
    )
    made.append(logits(one, trainer.train_model(one)[0]))
  np.testing.assert_array_equal(made[0], made[1])
  assert not np.allclose(made[0], made[2])


def test_a_length_in_epochs_is_one_in_steps(tmp_path):
  made = []
  for name, given in (
    ('steps', {'train.total_steps': 12, 'train.warmup_steps': 4}),
    ('epochs', {
      'train.total_steps': 0, 'train.total_epochs': 1.5,
      'train.warmup_epochs': 0.5, 'train.learning_rate': 5e-3,
      'train.learning_rate_batch': 16,
    }),
  ):  # fmt: skip
    one = task(tmp_path / name, **given)
    made.append(logits(one, trainer.train_model(one)[0]))
  np.testing.assert_array_equal(made[0], made[1])


@pytest.mark.slow
def test_a_fitted_head_is_that_of_both_tokens(tmp_path):
  one = task(
    tmp_path,
    architecture='vit',
    **{'train.total_steps': 0, 'head.fit': 'lbfgs'},
  )
  variables, _ = trainer.train_model(one)
  features, _ = trainer.features(one, variables, HELDOUT)
  head = variables['params']['head']
  np.testing.assert_allclose(
    logits(one, variables),
    features @ head['kernel'] + head['bias'],
    rtol=1e-4,
    atol=1e-4,
  )


def test_a_head_is_not_fitted_without_a_heldout_split(tmp_path):
  with pytest.raises(errors.UsageError, match='held-out split'):
    trainer.train_model(task(tmp_path, heldout=None, **{'head.fit': 'lbfgs'}))


def test_a_student_without_a_teacher_is_one_line(tmp_path):
  with pytest.raises(errors.UsageError, match=r'toy\.distill\.teacher'):
    trainer.train_model(task(tmp_path, **{'method': 'distill'}))

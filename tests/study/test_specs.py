"""What a model's settings determine: hashes, axes, order, columns."""

import pytest

from overlap.catalog import categories
from overlap.config import schema
from overlap.core import errors
from overlap.study import specs


def study(**changes):
  """A base, a student and a student's student, flat changes applied."""
  config = schema.study()
  config.data.dataset = 'mnist_5k'
  config.models.base = schema.model('resnet', stage_sizes=(1, 1))
  for name, teacher in (('last', 'student'), ('student', 'base')):
    config.models[name] = schema.model('resnet', stage_sizes=(1, 1))
    config.models[name].method = 'distill'
    config.models[name].distill.teacher = teacher
  config.update_from_flattened_dict(changes)
  return schema.resolve(config)


def test_teachers_come_before_students():
  assert specs.training_order(study()) == ['base', 'student', 'last']


def test_a_circle_of_teachers_is_refused():
  circle = study(**{'models.student.distill.teacher': 'last'})
  with pytest.raises(errors.UsageError, match='last <- student <- last'):
    specs.training_order(circle)


CHANGES_TRAINING = {
  'models.base.seed': 1,
  'models.base.train.learning_rate': 0.5,
  'models.base.architecture.options.stage_sizes': (2, 2),
  'models.base.init.strict': False,
  'models.base.head.max_examples': 5,
  'data.splits.train': 'train[:50%]',
  'data.image_size': 14,
}
CHANGES_NOTHING = {
  'models.base.train.log_every_steps': 7,
  'models.base.train.checkpoint_every_steps': 7,
  'analyses.resamples': 5,
  'predict.batch_size': 3,
  'data.num_threads': 5,
  'data.splits.test': 'test[:10]',
  'models.last.seed': 3,
}


@pytest.mark.parametrize('field', CHANGES_TRAINING)
def test_training_hash_follows_what_training_depends_on(field):
  changed = study(**{field: CHANGES_TRAINING[field]})
  for name in ('base', 'student', 'last'):  # A teacher's change is a student's.
    assert specs.training_hash(
      changed, name, 'mnist_5k'
    ) != specs.training_hash(study(), name, 'mnist_5k')


@pytest.mark.parametrize('field', CHANGES_NOTHING)
def test_training_hash_ignores_the_rest(field):
  changed = study(**{field: CHANGES_NOTHING[field]})
  assert specs.training_hash(changed, 'base', 'mnist_5k') == (
    specs.training_hash(study(), 'base', 'mnist_5k')
  )


NEW = ('resize', 'crop', 'interpolation', 'antialias', 'channel_order')


@pytest.mark.parametrize('field', NEW)
def test_preparation_is_in_the_hash_and_among_the_hyperparameters(field):
  prepared = {'models.base.input.resize': 'shorter_side'}
  other = {
    'resize': 'squash',
    'crop': 0.9,
    'interpolation': 'nearest',
    'antialias': False,
    'channel_order': 'bgr',
  }[field]
  first = study(**prepared)
  second = study(**prepared | {f'models.base.input.{field}': other})
  assert specs.training_hash(first, 'base', 'd') != (
    specs.training_hash(second, 'base', 'd')
  )
  assert specs.training_hash(first, 'base', 'd') != (
    specs.training_hash(study(), 'base', 'd')
  )
  axes = [specs.axes(s['models']['base'], 'd') for s in (first, second)]
  assert categories.category_to_base(*axes) == 'HPARAM'


@pytest.mark.parametrize(
  ('changes', 'message'),
  [
    ({'base.input.resize': 'shortest_side'}, r'in config\.models\.base\.input'),
    (
      {'base.input.crop': 0.9},
      r'base\.input\.crop acts only where .* got 0\.9',
    ),
    ({'base.input.antialias': False}, r'antialias acts only where'),
    (
      {'base.input.resize': 'squash', 'base.input.crop': 2.0},
      r'must be in \(0, 1\], got 2\.0',
    ),
    (
      {'base.input.resize': 'squash'},
      r"student\.input\.resize must be its teacher's, 'squash'",
    ),
  ],
)
def test_preparations_that_can_not_be_are_one_line(changes, message):
  fields = {f'models.{k}': v for k, v in changes.items()}
  # The range of a number is checked as the config is read.
  with pytest.raises(errors.UsageError, match=message) as caught:
    specs.check_specs(study(**fields))
  assert '\n' not in str(caught.value)


def test_teacher_and_student_may_be_prepared_alike():
  resize = {'input.resize': 'squash', 'input.crop': 1.0}
  specs.check_specs(
    study(
      **{
        f'models.{name}.{k}': v
        for name in ('base', 'student', 'last')
        for k, v in resize.items()
      }
    )
  )


def test_prediction_hash_follows_the_split_it_predicts():
  changed = study(**{'data.splits.test': 'test[:10]'})
  assert specs.prediction_hash(changed, 'base', 'mnist_5k', 'test') != (
    specs.prediction_hash(study(), 'base', 'mnist_5k', 'test')
  )
  assert specs.prediction_hash(changed, 'base', 'other', 'test') != (
    specs.prediction_hash(changed, 'base', 'mnist_5k', 'test')
  )


@pytest.mark.parametrize(
  ('changes', 'category'),
  [
    ({'seed': 1}, 'REINIT'),
    ({'train.learning_rate': 0.2}, 'HPARAM'),
    ({'architecture.options.stage_sizes': (2, 2)}, 'HPARAM'),
    ({'architecture.name': 'densenet', 'seed': 1}, 'ARCH'),
    ({'architecture.name': 'vit', 'method': 'simclr'}, 'FRAMEWORK'),
    ({'init.pretrained_on': 'IN', 'method': 'simclr'}, 'DATASET'),
  ],
)
def test_a_category_is_the_furthest_axis_that_differs(changes, category):
  resolved = study(**{f'models.last.{k}': v for k, v in changes.items()})
  base = dict(study()['models']['last'])
  assert (
    categories.category_to_base(
      specs.axes(resolved['models']['last'], 'mnist_5k'),
      specs.axes(base, 'mnist_5k'),
    )
    == category
  )


@pytest.mark.parametrize(
  ('changes', 'method', 'head'),
  [
    ({}, 'Sup. / F', 'Distilled'),
    ({'method': 'supervised'}, 'Sup. / F', 'Trained'),
    ({'method': 'simclr'}, 'Cont. / F', 'Fine Tuned'),
    ({'method': 'simclr', 'head.fit': 'lbfgs'}, 'Cont. / F', 'L-BFGS'),
    (
      {'method': 'supervised', 'init.pretrained_on': 'IN'}
      | {'init.checkpoint': 'x.pth'},
      'Sup. / IN',
      'Fine Tuned',
    ),
    (
      {'method': 'supervised', 'init.pretrained_on': 'WIT'}
      | {'init.checkpoint': 'x', 'architecture.name': 'clip'}
      | {'head.fit': 'zero_shot'},
      'Cont. / WIT',
      'Zero Shot',
    ),
    (
      {'method': 'supervised', 'init.pretrained_on': 'WIT'}
      | {'init.checkpoint': 'x', 'architecture.name': 'clip'}
      | {'head.fit': 'zero_shot', 'train.total_steps': 5},
      'Cont. / WIT',
      'Fine Tuned',
    ),
  ],
)
def test_labels_are_the_papers_words(changes, method, head):
  resolved = study(**{f'models.last.{k}': v for k, v in changes.items()})
  labels = specs.labels(resolved['models']['last'], 'F')
  assert labels == {'method': method, 'head': head}

"""Fields of a config that are set by flags."""

import pytest

from overlap.cli import overrides
from overlap.config import schema
from overlap.core import errors

BASE = 'models.base'


def study():
  config = schema.study()
  config.data.dataset = 'mnist_5k'
  config.models.base = schema.model('resnet', width=8)
  return config


def applied(*words):
  config, argv = study(), ['overlap study', '--config=c.py', *words]
  overrides.apply(config, overrides.take(argv))
  assert argv == ['overlap study', '--config=c.py']
  return schema.resolve(config)


def field(resolved, path):
  for name in path.split('.'):
    resolved = resolved[name]
  return resolved


@pytest.mark.parametrize(
  ('path', 'text', 'value'),
  [
    ('predict.splits', 'test,train', ['test', 'train']),
    ('predict.splits', 'test', ['test']),
    ('predict.splits', "('test', 'train')", ['test', 'train']),
    ('predict.splits', '', []),
    ('predict.feature_splits', 'probe_train,train', ['probe_train', 'train']),
    (f'{BASE}.train.milestones', '0.3,0.6', [0.3, 0.6]),
    (f'{BASE}.train.milestones', '[0.3, 0.6]', [0.3, 0.6]),
    (f'{BASE}.input.mean', '0.5', [0.5]),
    (f'{BASE}.input.mean', '0.4,0.5,1', [0.4, 0.5, 1.0]),
    (f'{BASE}.input.mean[0]', '0.25', [0.25]),
    ('analyses.transfer.groups.even', '0,2', ['0', '2']),
    ('analyses.transfer.groups', "{'odd': ('1', '3')}", {'odd': ['1', '3']}),
    ('name', '001', '001'),
    ('data.label', 'None', 'None'),
    (f'{BASE}.train.learning_rate', '1', 1.0),
    # Options that the config sets, and ones that it leaves at their defaults.
    (f'{BASE}.architecture.options.width', '4', 4),
    (f'{BASE}.architecture.options.width_multiplier', '2', 2.0),
    (f'{BASE}.architecture.options.stage_sizes', '1,2', [1, 2]),
    (f'{BASE}.architecture.options.stage_sizes', '2', [2]),
    (f'{BASE}.architecture.options.stem', 'small', 'small'),
  ],
)
def test_values(path, text, value):
  for words in ([f'--config.{path}={text}'], [f'-config.{path}', text]):
    got = field(applied(*words), path.partition('[')[0])
    assert got == value
    assert type(got) is type(value)


def test_a_negative_number_is_a_value_of_its_own():
  argv = ['--config.seed', '-1', '--config.on', '--model=a']
  assert overrides.take(argv) == [
    overrides.Override('seed', '-1'), overrides.Override('on', None),
  ]  # fmt: skip
  assert argv == ['--model=a']


def test_a_truth_may_stand_alone():
  path = f'{BASE}.train.nesterov'
  assert field(applied(f'--config.{path}'), path) is True
  assert field(applied(f'--config.{path}=false'), path) is False
  assert field(applied(f'--noconfig.{path}'), path) is False
  assert field(applied(f'--config.{path}', 'False'), path) is False


def test_a_repeated_list_adds_up_and_of_all_else_the_last_holds():
  made = applied(
    '--config.predict.splits=test', '--config.predict.splits=train,heldout',
    '--config.name=a', '--config.name=b',
  )  # fmt: skip
  assert made['predict']['splits'] == ['test', 'train', 'heldout']
  assert made['name'] == 'b'


def test_options_are_of_the_architecture_that_a_flag_names():
  architecture = applied(
    f'--config.{BASE}.architecture.options={{}}',
    f'--config.{BASE}.architecture.options.patch_size=7',
    f'--config.{BASE}.architecture.name=vit',
  )['models']['base']['architecture']
  assert architecture == {'name': 'vit', 'options': {'patch_size': 7}}


@pytest.mark.parametrize(
  ('word', 'text'),
  [
    (f'{BASE}.train.nesterov=no', "must be true or false, got 'no'"),
    (f'{BASE}.train.total_steps=1e3', "must be a whole number, got '1e3'"),
    (f'{BASE}.seed', 'must be a whole number, got nothing'),
    (
      f'{BASE}.input.mean=0.5;0.5',
      "must be numbers with commas between them, as in 0.3,0.6, got '0.5;0.5'",
    ),
    (
      f'{BASE}.input.mean[7]=1',
      r'\[PLACE\] must be a place of \(0.5,\), got 7',
    ),
    (f'{BASE}.seed.x=3', 'has no fields'),
    ('models.third.seed=3', "No field of config.models is called 'third'"),
    ('models.third=3', "No field of config.models is called 'third'"),
    (
      f'{BASE}.architecture.options.widht=3',
      "No option of resnet is called 'widht'",
    ),
    (f'{BASE}.train=3', r'set by its fields, as in --config.*\.train\.FIELD='),
  ],
)
def test_one_line_each(word, text):
  with pytest.raises(errors.UsageError, match=text):
    applied(f'--config.{word}')


def test_what_negates_must_be_a_truth():
  with pytest.raises(errors.UsageError, match=r'--noconfig\.name must be text'):
    applied('--noconfig.name')

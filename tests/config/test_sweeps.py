"""Sweeps as data: axes, names, and the study of a sweep's models."""

import pathlib

import pytest

from overlap.config import schema, sweep_study, sweeps
from overlap.config.sweeps import Item
from overlap.core import errors

SEEDS = sweeps.named('seed', 'seed', (0, 1, 2))
RATES = sweeps.named('rate', 'train.learning_rate', {'low': 0.1, 'high': 0.4})


def names(items):
  return [item.name for item in items]


def test_an_axis_names_its_values():
  assert SEEDS[1] == Item('seed_1', {'seed': 1})
  assert names(RATES) == ['rate_low', 'rate_high']
  made = sweeps.named('split', 'data.splits.train', ('train[10%:]', 1e-05))
  assert names(made) == ['split_train_10', 'split_1e_05']


def test_a_grid_is_every_combination_in_order():
  made = sweeps.grid(RATES, SEEDS)
  assert names(made)[:4] == [
    'rate_low_seed_0', 'rate_low_seed_1', 'rate_low_seed_2', 'rate_high_seed_0',
  ]  # fmt: skip
  assert len(made) == len(RATES) * len(SEEDS)
  assert made[-1].overrides == {'train.learning_rate': 0.4, 'seed': 2}
  assert sweeps.grid(SEEDS) == SEEDS


def test_zipped_goes_along_the_axes_together():
  made = sweeps.zipped(RATES, SEEDS[:2])
  assert names(made) == ['rate_low_seed_0', 'rate_high_seed_1']
  assert made[1].overrides == {'train.learning_rate': 0.4, 'seed': 1}


@pytest.mark.parametrize(
  ('make', 'text'),
  [
    (lambda: sweeps.grid(), 'A grid needs axes'),
    (lambda: sweeps.zipped(), 'got no axes'),
    (lambda: sweeps.zipped(SEEDS, RATES), 'got 3, 2'),
    (lambda: sweeps.grid(SEEDS, SEEDS), "fields of its own, got 'seed'"),
    (lambda: sweeps.check_items([]), 'needs items, got none'),
    (lambda: sweeps.check_items(['seed']), "list of sweeps.Item, got 'seed'"),
    (lambda: sweeps.check_items([Item('a'), Item('A')]), "got 'A' twice"),
    (
      lambda: sweeps.check_items([Item('')]),
      "underscores, at most 100, got ''",
    ),
    (lambda: sweeps.check_items([Item('../x')]), "got '../x'"),
    (lambda: sweeps.check_items([Item('a' * 101)]), 'at most 100'),
    (lambda: sweeps.check_items([Item('a;b')]), "got 'a;b'"),
    (
      lambda: sweeps.check_items([Item('a', {'seed': 1}, model='a')]),
      "make it a variant, as in variants('a', ...)",
    ),
    (lambda: sweeps.load('none.py'), "--sweep must name a Python file, got 'n"),
  ],
)
def test_what_is_no_sweep_is_one_line(make, text):
  with pytest.raises(errors.UsageError) as caught:
    make()
  assert text in str(caught.value)


def test_negative_values_collide_and_labels_tell_them_apart():
  with pytest.raises(errors.UsageError, match='name the values'):
    sweeps.check_items(sweeps.named('x', 'seed', (-1, 1)))
  sweeps.check_items(sweeps.named('x', 'seed', {'minus': -1, 'plus': 1}))


def test_a_value_that_is_given_twice_is_found():
  with pytest.raises(errors.UsageError, match="'seed_1' twice"):
    sweeps.check_items(sweeps.named('seed', 'seed', (1, 2, 1)))


@pytest.mark.parametrize(
  ('source', 'text'),
  [
    ('', 'must have get_sweep()'),
    ('def get_sweep(:', 'must run, got SyntaxError'),
    ('def get_sweep():\n  return sweeps.grid()', 'got NameError'),
  ],
)
def test_a_file_without_a_sweep_is_one_line(tmp_path, source, text):
  file = tmp_path / 'sweep.py'
  file.write_text(source)
  with pytest.raises(errors.UsageError) as caught:
    sweeps.load(str(file))
  assert text in str(caught.value)


def study():
  config = schema.study()
  config.data.dataset = 'mnist_5k'
  for name in ('base', 'other', 'teacher', 'student'):
    config.models[name] = schema.model('resnet', width=8)
  config.models.student.method = 'distill'
  config.models.student.distill.teacher = 'teacher'
  config.models.probe = schema.probe('other')
  return config


def test_a_study_has_the_base_the_models_and_what_they_need():
  items = sweeps.models('student') + sweeps.variants('base', SEEDS[1:])
  made = sweep_study.with_models(study(), items)
  assert set(made.models) == {
    'base', 'teacher', 'student', 'base_seed_1', 'base_seed_2',
  }  # fmt: skip
  made = sweep_study.with_models(study(), sweeps.models('probe'))
  assert set(made.models) == {'base', 'probe', 'other'}


def test_a_variant_differs_in_what_it_sets_and_leaves_its_model_alone():
  rates = sweeps.named('drop', 'architecture.options.dropout_rate', (0.5,))
  config = study()
  made = sweep_study.with_models(
    config, sweeps.variants('base', sweeps.grid(rates, SEEDS[2:]))
  )
  made.lock()
  resolved = schema.resolve(made)
  base, variant = resolved['models'].values()
  assert schema.differences(base, variant) == [
    "architecture.options.dropout_rate: 'absent' -> 0.5",
    'seed: 0 -> 2',
  ]
  assert 'dropout_rate' not in config.models.base.architecture.options


@pytest.mark.parametrize(
  ('items', 'text'),
  [
    (sweeps.models('bse'), "No model of this study is called 'bse'. Did you"),
    (sweeps.variants('bse', SEEDS), "Did you mean 'base'"),
    (
      sweeps.variants('base', sweeps.named('x', 'train.learnin_rate', (1.0,))),
      "No field of config.models.base.train is called 'learnin_rate'. Did you "
      "mean 'learning_rate'",
    ),
    (sweeps.variants('base', [Item('x', {'seed.x': 1})]), 'must hold fields'),
    (
      sweeps.variants('base', [Item('x', {'seed': 'a'})]),
      'must be of its type',
    ),
    (SEEDS, 'fields of the whole study'),
    ([Item('x', {}, 'other', 'base')], "got 'other', which the study has"),
  ],
)
def test_an_item_that_is_at_fault_is_one_line(items, text):
  with pytest.raises(errors.UsageError) as caught:
    sweep_study.with_models(study(), items)
  assert text in str(caught.value)


@pytest.mark.parametrize('arg', ['', 'configs/quickstart.py', '+x.py', 'x.py+'])
def test_the_swept_config_says_what_its_argument_is(arg):
  with pytest.raises(errors.UsageError, match=r'must be CONFIG\+SWEEP'):
    sweep_study.study(arg)


def test_paths_and_arguments_reach_both_files(monkeypatch):
  monkeypatch.chdir(pathlib.Path(__file__).resolve().parents[2])
  arg = 'configs/quickstart.py:smoke+configs/sweeps/seeds.py:vit'
  made = sweep_study.study(arg)
  assert made.name == f'swept:{arg}'
  assert len(made.models) == 10
  assert made.models.vit_seed_109.seed == 109
  assert made.models.base.train.total_steps == 12

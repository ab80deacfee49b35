"""The catalog of the paper's models: whole, and true of this package."""

import collections
import dataclasses

import pytest

from overlap import models as flax_models
from overlap import train
from overlap.catalog import categories, models, paper, sweeps
from overlap.config import schema
from overlap.core import errors, lookup
from overlap.data import augment
from overlap.study import specs

ALL = models.models()
TRAINED = [m for m in ALL if m.way == 'train']
HERE = [m for m in ALL if m.way != 'bring']
# In the fast part; each family's own tests count parameters too.
COUNTED = (
  'SK-ResNet-34', 'VGG19 BatchNorm', 'SEResNeXt-26d', 'DLA-60', 'ViT-S/16',
  'CLIP-S-ZS', 'ResNet-50 (LR 0.01, WD 0.001)',
)  # fmt: skip


def test_every_row_of_the_paper_and_the_base_has_one_record():
  names = [m.name for m in ALL]
  expected = [models.BASE_NAME]
  for number in paper.TABLES:
    expected += list(paper.table(number).model)
  assert names == expected
  assert len(set(names)) == len(names) == 85


def test_the_records_hold_the_tables_figures_as_fractions():
  for number in paper.TABLES:
    for row in paper.table(number).to_dict('records'):
      m = models.find(row['model'])
      assert (m.table, m.category) == (number, row['category'])
      assert m.accuracy == pytest.approx(row['accuracy'] / 100)
      assert m.error_inconsistency == row.get('error_inconsistency')
      assert m.temperature == row.get('temperature')
      if number == 4:
        assert m.ensemble_accuracy is None
      else:
        assert m.ensemble_accuracy == pytest.approx(
          row['ensemble_accuracy'] / 100
        )


def test_the_base_is_no_row_and_is_measured_against_nothing():
  base = models.find(models.BASE_NAME)
  assert (base.table, base.category, base.accuracy) == (0, 'BASE', 0.765)
  assert base.error_inconsistency is base.ensemble_accuracy is None
  assert [m for m in ALL if m.category == categories.BASE] == [base]


def test_a_model_that_the_paper_does_not_have_is_not_found():
  assert models.find('ResNet-18') is None


@pytest.mark.parametrize('model', ALL, ids=lambda m: m.name)
def test_the_way_says_what_is_needed(model):
  assert model.way in models.WAYS
  assert model.needs
  assert model.architecture in flax_models.MODELS
  assert (model.way == 'load') == ('weights: ' in model.needs)
  # What was trained on data that nobody has can't be trained here.
  if any(data in model.method for data in ('JFT', 'ALIGN', 'WIT', '21k')):
    assert model.way != 'train'


def test_all_of_the_sweeps_are_trained_here():
  ways = collections.Counter((m.category, m.way) for m in ALL)
  assert ways['HPARAM', 'train'] == 51
  assert ways['REINIT', 'train'] == ways['BASE', 'train'] == 1
  assert ways['FRAMEWORK', 'train'] == 2


def module(model, num_classes=1000):
  """The Flax module of a record."""
  return specs.build_model(
    schema.paper_model(model.name).to_dict(), num_classes=num_classes
  )


def test_categories_follow_from_the_fields():
  base = models.get(models.BASE_NAME)
  assert [models.category(m, base) for m in ALL] == [m.category for m in ALL]


@pytest.mark.slow_except(*COUNTED)
@pytest.mark.parametrize('model', HERE, ids=lambda m: m.name)
def test_parameters_are_as_published(model, count_parameters):
  size = model.image_size
  count = count_parameters(module(model), (1, size, size, 3))
  assert count == model.parameters


def test_the_settings_are_fields_of_a_model_s_config():
  for model in HERE:
    settings = schema.paper_model(model.name)
    lookup.check_choice('method', settings.method, train.METHODS)
    augment.build(settings.train.augment)
    built = module(model, 10)
    for name, value in settings.architecture.options.to_dict().items():
      assert getattr(built, name) == value


def test_a_study_takes_any_of_them():
  study = schema.study()
  study.base = models.BASE_NAME
  study.data.dataset = 'tfds:imagenet2012'
  for model in ALL:
    # A field of a config has no dot in its name.
    settings = schema.paper_model(model.name)
    if model.way == 'load' and not model.checkpoint:
      settings.init.checkpoint = 'weights.pth'
    if settings.method == 'distill':
      settings.distill.teacher = models.BASE_NAME
    study.models[model.name.replace('.', '_')] = settings
  plain = schema.resolve(study)
  specs.check_specs(plain)
  for model in ALL:
    source = plain['models'][model.name.replace('.', '_')]['source']
    assert source == ('store' if model.way == 'bring' else 'train')


def test_weights_that_must_be_fetched_by_hand_are_asked_for():
  study = schema.study()
  study.base = 'x'
  study.data.dataset = 'tfds:imagenet2012'
  study.models.x = schema.paper_model('Legacy-SEResNet-34')
  with pytest.raises(errors.UsageError, match=r'x\.init\.checkpoint must'):
    specs.check_specs(schema.resolve(study))


def test_an_unknown_name_names_the_nearest():
  with pytest.raises(errors.UsageError, match="Did you mean 'DPN-68'"):
    schema.paper_model('DPN68')


def test_no_two_models_have_the_same_settings():
  keys = [(m.architecture, m.settings, m.checkpoint) for m in HERE]
  assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
  ('name', 'expected'),
  [
    ('ResNet-50', {}),
    ('ResNet-101x0.5', {'stage_sizes': (3, 4, 23, 3), 'width_multiplier': 0.5}),
    ('ResNet-50x2', {'width_multiplier': 2.0}),
    ('ResNet-50 (Dropout 0.1)', {'dropout_rate': 0.1}),
    (
      'ResNet-50 (DropBlock 1234, 0.9)',
      {
        'dropblock_groups': (1, 2, 3, 4),
        'dropblock_keep_prob': 0.9,
        'dropblock_ramp': True,
      },
    ),
    (
      'ResNet-50 (LR 0.2, WD 0.00005)',
      {'learning_rate': 0.2, 'weight_decay': 5e-5},
    ),
    ('ResNet-50 (Label Smoothing 0.4)', {'label_smoothing': 0.4}),
  ],
)
def test_a_resnet_s_name_says_its_settings(name, expected):
  found = {
    field.rpartition('.')[2]: value
    for field, value in sweeps.resnet_settings(name)
  }
  assert found.pop('size') == 224
  found.pop('augment')
  assert found == {'stage_sizes': (3, 4, 6, 3)} | expected


@pytest.mark.parametrize('name', ['SK-ResNet-34', 'ResNet-18', 'Legacy-ResNet'])
def test_another_name_says_nothing(name):
  assert sweeps.resnet_settings(name) is None


def test_the_records_can_not_be_changed():
  with pytest.raises(dataclasses.FrozenInstanceError):
    ALL[0].way = 'load'

"""The config schema: what it refuses, and how it says so."""

import re

import ml_collections
import pytest

from overlap.config import schema
from overlap.core import errors


def small_study():
  config = schema.study()
  config.data.dataset = 'mnist_5k'
  config.models.base = schema.model('resnet', width=8)
  config.models.other = schema.model('resnet', width=8)
  return config


def test_resolve_gives_plain_json_values():
  resolved = schema.resolve(small_study())
  assert resolved['models']['base']['architecture'] == {
    'name': 'resnet',
    'options': {'width': 8},
  }
  assert isinstance(resolved['analyses']['tables'], list)
  assert not any(
    isinstance(value, (tuple, ml_collections.ConfigDict))
    for value in schema.flatten(resolved).values()
  )


@pytest.mark.parametrize(
  ('section', 'key'),
  [('data', 'datset'), ('analyses', 'resample'), ('report', 'figure')],
)
def test_a_misspelt_field_is_refused_where_it_is_written(section, key):
  config = small_study()
  with pytest.raises(AttributeError):
    config[section].__setattr__(key, 1)


def test_a_misspelt_field_of_a_hand_made_config_names_the_nearest():
  plain = schema.resolve(small_study())
  plain['models']['base']['train']['learning_rte'] = 0.1
  with pytest.raises(errors.UsageError, match="'learning_rate'"):
    schema.resolve(ml_collections.ConfigDict(plain))


def test_a_missing_field_and_a_wrong_type_are_named():
  plain = schema.resolve(small_study())
  del plain['models']['base']['seed']
  with pytest.raises(errors.UsageError, match=r'models\.base\.seed must be'):
    schema.resolve(ml_collections.ConfigDict(plain))
  plain['models']['base']['seed'] = 'one'
  with pytest.raises(errors.UsageError, match=r"type int, got 'one'"):
    schema.resolve(ml_collections.ConfigDict(plain))


def test_no_model_unknown_base_and_no_dataset_are_one_line_each():
  config = schema.study()
  with pytest.raises(errors.UsageError, match='needs a model'):
    schema.resolve(config)
  config = small_study()
  config.base = 'bse'
  with pytest.raises(errors.UsageError, match="Did you mean 'base'"):
    schema.resolve(config)
  config = small_study()
  config.data.dataset = ''
  with pytest.raises(errors.UsageError, match=r'--config\.data\.dataset='):
    schema.resolve(config)


def test_differences_name_every_field_once():
  old = schema.resolve(small_study())
  config = small_study()
  config.models.base.seed = 3
  config.models.third = schema.model('vit')
  new = schema.resolve(config)
  texts = schema.differences(old, new)
  assert 'models.base.seed: 0 -> 3' in texts
  assert all(re.match(r'models\.(base|third)\.', text) for text in texts)
  assert schema.differences(old, old) == []


def test_what_no_result_depends_on_is_no_difference():
  config = small_study()
  config.data.data_dir = 'elsewhere'
  config.data.num_threads = 7
  config.models.base.train.log_every_steps = 1
  old = schema.resolve(small_study())
  assert schema.differences(old, schema.resolve(config)) == []


def test_error_texts_are_one_line():
  error = errors.UsageError('a rule,\n  a value')
  assert str(error) == 'a rule, a value'
  assert (error.exit_status, errors.DataError.exit_status) == (2, 1)

"""The paper's names in a config: none is lost, none is another's."""

import re

import ml_collections
import pytest

from overlap.catalog import models, names


def test_every_model_has_a_key_of_its_own_that_flags_can_name():
  keys = [names.key(model.name) for model in models.models()]
  assert len(set(keys)) == len(keys)
  assert all(re.fullmatch('[a-z][a-z0-9_]*', key) for key in keys)
  config = ml_collections.ConfigDict()
  config.update_from_flattened_dict(dict.fromkeys(keys, 1))
  assert set(config.keys()) == set(keys)


@pytest.mark.parametrize(
  ('name', 'key'),
  [
    ('ResNet-50 (Dropout 0.1)', 'resnet_50_dropout_0_1'),
    ('ResNet-50 (LR 0.2, WD 0.00005)', 'resnet_50_lr_0_2_wd_0_00005'),
    ('ViT-B/16', 'vit_b_16'),
    ('resnet_50_dropout_0_1', 'resnet_50_dropout_0_1'),
  ],
)
def test_a_key_can_be_read(name, key):
  assert names.key(name) == key


def test_rows_are_found_by_name_and_by_key():
  for model in models.models():
    expected = model.name if model.table else ''
    assert names.in_tables(model.name, 'whatever') == expected
    assert names.in_tables(names.key(model.name), model.method) == expected


@pytest.mark.parametrize(
  ('model', 'method'),
  [
    ('simclr', 'Cont. / F-MNIST'),
    ('resnet_50', 'Sup. / C10'),
    ('resnet_51', 'Sup. / IN'),
    ('', ''),
  ],
)
def test_a_key_on_other_data_is_not_the_papers_model(model, method):
  assert names.in_tables(model, method) == ''

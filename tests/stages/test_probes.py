"""Probes as models of a study: fitted on stored features, stored as any."""

import numpy as np
import pytest

from overlap import store
from overlap.catalog import categories
from overlap.config import schema
from overlap.core import errors
from overlap.probes import normalise, selection
from overlap.probes import rows as rows_lib
from overlap.stages import analyse, predict
from overlap.study import specs
from overlap.study.study import Study

SIZES = {'probe_train': 60, 'probe_heldout': 30, 'test': 40}
CLASSES = 3


def fill(folder, *, models=('one', 'two'), axes=True, without=()):
  """A store with features of three classes on three splits."""
  rng = np.random.default_rng(0)
  centres = {
    m: 2 * rng.normal(size=(CLASSES, 4 + i)) for i, m in enumerate(models)
  }
  for split, count in SIZES.items():
    labels = rng.integers(0, CLASSES, count)
    store.write_examples(
      folder, dataset='things', split=split,
      ids=[f'{split}/{i}' for i in range(count)], labels=labels,
      class_names=['a', 'b', 'c'],
    )  # fmt: skip
    for seed, model in enumerate(models):
      if (model, split) in without:
        continue
      width = centres[model].shape[1]
      features = centres[model][labels] + rng.normal(size=(count, width))
      writer = store.RecordWriter(
        folder, dataset='things', split=split, model=model
      )
      arrays = {'features': features.astype(np.float32)}
      arrays['logits'] = rng.normal(size=(count, CLASSES)).astype(np.float32)
      with writer:
        for name, values in arrays.items():
          writer.create(name, shape=values.shape, dtype=values.dtype)
          writer.write(name, 0, values)
        place = (
          {'axes': dict.fromkeys(categories.AXES, 'x') | {'seed': str(seed)}}
          if axes
          else {'category': ('BASE', 'ARCH')[seed]}
        )
        writer.finish(place | {'method': 'Sup. / IN', 'head': 'Trained'})


def bound(folder, *, replace=False, models=('one', 'two'), **changes):
  config = schema.study()
  config.base = 'one'
  config.data.dataset = 'things'
  config.data.splits.probe_train = 'train'
  config.data.splits.probe_heldout = 'train'
  for name in ('one', 'two'):
    config.models[name] = schema.model('resnet')
    config.models[name].source = 'store'
  config.models.probe = schema.probe(*models)
  config.models.probe.strengths = 5
  config.models.probe.weakest = 1e-4
  config.models.probe.strongest = 1.0
  config.update_from_flattened_dict(changes)
  plain = schema.resolve(config)
  specs.check_specs(plain)
  analyse.check_analyses(plain)
  return Study(plain, folder, replace=replace)


def read(folder, split, model, array):
  return store.Store(folder).read('things', split, model, array)


def test_its_logits_are_those_of_the_protocol(tmp_path):
  fill(tmp_path)
  predict.predict_all(bound(tmp_path))
  rows, labels = {}, {}
  for split in SIZES:
    parts = []
    for model in ('one', 'two'):
      training = read(tmp_path, 'probe_train', model, 'features')
      normal = normalise.measure_statistics(
        rows_lib.as_rows(training), 'l2_standardise'
      )
      parts.append(normal(read(tmp_path, split, model, 'features')))
    rows[split] = np.concatenate(parts, axis=1)
    labels[split] = store.Store(tmp_path).examples('things', split).labels
  want = selection.select(
    rows['probe_train'], labels['probe_train'], rows['probe_heldout'],
    labels['probe_heldout'], num_classes=CLASSES, normalisation='none',
    strengths=np.geomspace(1e-4, 1, 5),
  )  # fmt: skip
  got = read(tmp_path, 'test', 'probe', 'logits')
  logits = want.probe.logits(rows['test'])
  np.testing.assert_allclose(got, logits, rtol=1e-3, atol=1e-3)
  assert np.mean(got.argmax(axis=1) == labels['test']) > 0.8
  record = store.Store(tmp_path).record('things', 'test', 'probe')
  assert record['probe']['l2'] == want.l2
  assert record['probe']['models'] == ['one', 'two']
  assert sorted(record['arrays']) == ['logits']
  assert list(store.check_store(tmp_path)) == []


@pytest.mark.slow
def test_it_takes_part_in_every_comparison(tmp_path):
  fill(tmp_path)
  study = bound(tmp_path)
  predict.predict_all(study)
  made = analyse.compute(
    tmp_path, analyse.study_request(tmp_path, study.config)
  )
  models = made['models'].set_index('model')
  assert models.loc['probe', 'head'] == 'L-BFGS'
  assert models.loc['probe', 'method'] == 'Sup. / IN'
  # The seeds differ, and the head.
  assert models.loc[['one', 'two', 'probe'], 'category'].tolist() == [
    'BASE', 'REINIT', 'HPARAM',
  ]  # fmt: skip
  assert len(made['pairs']) == 3


def test_models_that_say_only_their_category(tmp_path):
  fill(tmp_path, axes=False)
  predict.predict_all(bound(tmp_path))
  record = store.Store(tmp_path).record('things', 'test', 'probe')
  assert 'axes' not in record
  assert record['category'] == 'ARCH'
  # Nor do they say what they cost.
  assert record['costs'] == {'parameters': None, 'flops': None}


def test_what_is_done_is_left_and_what_has_changed_is_asked_for(tmp_path):
  fill(tmp_path)
  predict.predict_all(bound(tmp_path))
  first = store.Store(tmp_path).record('things', 'test', 'probe')
  predict.predict_all(bound(tmp_path))
  assert store.Store(tmp_path).record('things', 'test', 'probe') == first
  changed = {'models.probe.normalisation': 'standardise'}
  with pytest.raises(errors.UsageError, match='--resume=update'):
    predict.predict_all(bound(tmp_path, **changed))
  predict.predict_all(bound(tmp_path, replace=True, **changed))
  again = store.Store(tmp_path).record('things', 'test', 'probe')
  assert again['config_hash'] != first['config_hash']


def test_missing_features_are_named(tmp_path):
  fill(tmp_path, without=[('two', 'probe_heldout')])
  with pytest.raises(
    errors.DataError, match=r'things/probe_heldout .* has none of two:'
  ):
    predict.predict_all(bound(tmp_path))


@pytest.mark.parametrize(
  ('changes', 'text'),
  [
    ({'models': ()}, r'models must name .* Choices: one, two'),
    ({'models': ('one', 'three')}, 'three'),
    ({'models': ('one', 'probe')}, 'Choices: one, two'),
    ({'models': ('one', 'one')}, 'each model once, got one, one'),
    ({'models.probe.strengths': 0}, r'strengths.*In config\.models\.probe'),
    ({'models.probe.weakest': 10.0}, r'strengths above 0.*models\.probe'),
    ({'models.probe.normalisation': 'l3'}, r"'l3'.*l2_standardise"),
    ({'models.probe.train': 'training'}, r"probe\.train.*'training'"),
  ],
)
def test_what_is_refused(tmp_path, changes, text):
  with pytest.raises(errors.UsageError, match=text):
    bound(tmp_path, **changes)


def test_a_probe_teaches_nobody(tmp_path):
  config = schema.study()
  config.base = 'one'
  config.data.dataset = 'things'
  for name in ('one', 'student'):
    config.models[name] = schema.model('resnet')
  config.models.probe = schema.probe('one')
  config.models.student.method = 'distill'
  config.models.student.distill.teacher = 'probe'
  with pytest.raises(errors.UsageError, match=r"teacher.*'probe'.*one"):
    specs.check_specs(schema.resolve(config))

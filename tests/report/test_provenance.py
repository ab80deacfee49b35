"""Tests of overlap.report.provenance."""

import json

import pytest

from overlap.config.schema import model
from overlap.core import checksums, errors
from overlap.report import provenance


def test_read(tmp_path, tables):
  assert provenance.read_run_file(tmp_path, 'config.json') == {}
  checksums.write_json(tmp_path / 'config.json', {'config': {'name': 'x'}})
  config = provenance.read_run_file(tmp_path, 'config.json')
  assert provenance.title(config, tables) == 'x'
  (tmp_path / 'config.json').write_text('{')
  with pytest.raises(errors.DataError, match='must hold JSON'):
    provenance.read_run_file(tmp_path, 'config.json')


def test_what_was_run(tables):
  config = {
    'config': {
      'name': 'quick',
      'data': {
        'label': 'F-MNIST',
        'splits': {'train': 'train[8%:]', 'test': 'test'},
      },
      'analyses': {'confidence': 0.9, 'resamples': 1000, 'window': 0.04},
      'models': {'base': model('resnet').to_dict(), 'other': {'source': 'x'}},
    }
  }
  config['config']['models']['base']['train']['total_steps'] = 3
  facts = dict(provenance.what_was_run(config, {}, tables))
  assert facts['Data'] == 'fashion_mnist (F-MNIST)'
  assert facts['Evaluated on'] == 'test'
  assert facts['Examples'] == '2,000'
  assert (facts['Models'], facts['Pairs']) == ('15', '105')
  assert facts['Base'] == 'base'
  assert facts['Trained on'] == 'train[8%:]'
  assert facts['Intervals'].startswith('90 %; of pairs: 1,000 resamples')
  assert facts['Accuracy window'] == 'base ± 4.0 points'
  config['config']['models']['base']['train']['total_steps'] = 0
  loaded = dict(provenance.what_was_run(config, {}, tables))
  assert 'Trained on' not in loaded


@pytest.mark.parametrize(
  ('window', 'expected'),
  [
    (0.0, 'all models'), (None, 'all models'), ('', 'all models'),
    ([0.74, 0.78], '74.0 % to 78.0 %'), (0.02, 'base ± 2.0 points'),
  ],
)  # fmt: skip
def test_window_of_the_request_comes_first(tables, window, expected):
  config = {'config': {'analyses': {'window': 0.5}}}
  request = {'options': {'window': window}}
  facts = dict(provenance.what_was_run(config, request, tables))
  assert facts['Accuracy window'] == expected


def test_without_files(tables):
  facts = dict(provenance.what_was_run({}, {}, tables))
  assert facts['Data'] == 'fashion_mnist'
  assert provenance.software({}, {}) == []
  assert provenance.stages({}) == []
  assert provenance.config_text({}) == ''
  assert provenance.title({}, tables) == 'fashion_mnist, test'


def test_software():
  config = {
    'device': {'platform': 'cpu', 'kind': 'cpu', 'count': 4, 'cpu_cores': 2},
    'git_revision': None,
    'created': '2026-01-02T03:04:05+00:00',
    'versions': {'jax': '0.10.2', 'flax': '0.12.8'},
  }
  facts = dict(
    provenance.software(config, {'peak_memory_bytes': 3 * 2**30})
  )  # fmt: skip
  assert facts['Device'] == '4 × cpu (cpu)'
  assert facts['Most memory held'] == '3.0 GiB'
  assert facts['Versions'] == 'jax 0.10.2, flax 0.12.8'
  assert 'Revision' not in facts


def test_stages():
  timings = {
    'stages': [
      {'stage': 'report', 'model': None, 'seconds': 2.0},
      {'stage': 'train', 'model': 'a', 'seconds': 100.0},
      {'stage': 'train', 'model': 'b', 'seconds': 30.0},
      {'stage': 'train', 'model': 'a', 'seconds': 40.0},
    ]
  }
  train, report = provenance.stages(timings)
  # The later run of a model counts: 40 + 30.
  assert (train.name, train.seconds) == ('train', '1 min 10 s')
  assert [tuple(fact) for fact in train.models] == [
    ('a', '40 s'), ('b', '30 s'),
  ]  # fmt: skip
  assert (report.name, report.seconds, report.models) == ('report', '2.0 s', [])


def test_config_text_is_json():
  config = {'config': {'name': '<b>', 'models': {'ä': {}}}}
  assert json.loads(provenance.config_text(config)) == config['config']


def test_checksums_are_those_of_the_tables_to_read():
  done = {'tables': {'b.csv': '2f', 'a.csv': '1e', 'a.parquet': '0d'}}
  facts = provenance.checksums(done)
  assert facts == [('a.csv', '1e'), ('b.csv', '2f')]
  assert provenance.checksums({}) == []

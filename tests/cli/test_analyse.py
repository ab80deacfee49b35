"""overlap analyse on whatever the store holds, without a config."""

import json
import pathlib

import pytest

from overlap.tables import schemas, table_io

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def workdir(overlap, predictions):
  """A workdir with four models and no tables."""
  for model in 'abcd':
    path = predictions.hard(model)
    overlap('ingest', *predictions.known, f'--predictions={path}')
  return predictions.workdir


def analysed(overlap, workdir, *words):
  """Runs the command; returns the names of the tables that are there then."""
  done = overlap('analyse', f'--workdir={workdir}', '--base=a', *words)
  assert done.status == 0, done.err
  return {path.stem for path in (workdir / 'tables').glob('*.csv')}


def test_all_models_and_tables_by_default(overlap, workdir):
  made = analysed(overlap, workdir, '--resamples=10')
  assert made == set(schemas.SCHEMAS)
  assert table_io.read_table(workdir, 'models')['model'].tolist() == list(
    'abcd'
  )
  assert len(table_io.read_table(workdir, 'pairs')) == 6


def test_models(overlap, workdir):
  analysed(overlap, workdir, '--models=c,b', '--resamples=0')
  models = table_io.read_table(workdir, 'models')['model'].tolist()
  assert models == ['a', 'b', 'c']
  assert len(table_io.read_table(workdir, 'pairs')) == 3


def test_tables_and_those_of_earlier_requests(overlap, workdir):
  assert analysed(overlap, workdir, '--resamples=0') == set(schemas.SCHEMAS)
  words = ['--tables=models,pairs', '--resamples=0']
  assert analysed(overlap, workdir, *words) == {'models', 'pairs'}
  assert not (workdir / 'tables' / 'classes.parquet').exists()
  assert overlap('verify', f'--workdir={workdir}').status == 0


def test_resamples(overlap, workdir):
  analysed(overlap, workdir, '--resamples=0', '--tables=pairs,models')
  lower = 'error_inconsistency_lower'
  assert table_io.read_table(workdir, 'pairs')[lower].isna().all()
  analysed(overlap, workdir, '--resamples=30', '--tables=pairs,models')
  assert table_io.read_table(workdir, 'pairs')[lower].notna().all()
  request = json.loads((workdir / 'tables' / 'analysis.json').read_text())
  assert request['options']['resamples'] == 30


@pytest.mark.parametrize(
  ('window', 'inside'),
  [
    ('0', 'abcd'), ('0.15', 'abc'), ('0.99', 'abcd'), ('0.3,0.999', 'abcd'),
    ('0.7,0.999', 'abc'),
  ],
)  # fmt: skip
def test_window(overlap, workdir, window, inside):
  words = [f'--window={window}', '--tables=models', '--resamples=0']
  analysed(overlap, workdir, *words)
  models = table_io.read_table(workdir, 'models')
  assert models.loc[models['in_window'], 'model'].tolist() == list(inside)


def test_a_second_split_must_be_chosen(overlap, predictions, workdir):
  path = predictions.hard('a')
  known = [w for w in predictions.known if not w.startswith('--split')]
  overlap('ingest', *known, '--split=v2', f'--predictions={path}')
  done = overlap('analyse', f'--workdir={workdir}', '--base=a')
  assert done.status == 2
  assert 'got none and none. Choices: shapes/test, shapes/v2' in done.fault
  words = ['--dataset=shapes', '--split=test', '--resamples=0']
  analysed(overlap, workdir, *words)
  assert len(table_io.read_table(workdir, 'models')) == 4


BAD = {
  'no base': (['--base='], 'got nothing. Choices: a, b, c, d'),
  'base': (['--base=aa'], "No base (--base) is called 'aa'. Did you mean 'a'"),
  'model': (['--models=a,z'], "No model (--models) is called 'z'"),
  'table': (['--tables=pairs,modles'], "Did you mean 'models'"),
  'resamples': (['--resamples=-1'], 'resamples'),
  'resamples of text': (['--resamples=many'], 'resamples'),
  'window of text': (['--window=wide'], "HALFWIDTH or LOWER,UPPER, got 'wide'"),
  'window of nothing': (['--window='], "HALFWIDTH or LOWER,UPPER, got ''"),
  'window of three': (['--window=0.1,0.2,0.3'], 'got [0.1, 0.2, 0.3]'),
  'window upside down': (['--window=0.8,0.7'], 'got [0.8, 0.7]'),
  'window of nan': (['--window=nan'], 'got nan'),
  'window in per cent': (['--window=74,78'], 'got [74.0, 78.0]'),
  'split': (['--dataset=shapes', '--split=tset'], "Did you mean 'shapes/test'"),
  'config': (
    [f'--config={ROOT}/configs/quickstart.py:smoke'],
    'must stand in the config, config.analyses, got --base',
  ),
}


@pytest.mark.parametrize(('words', 'told'), BAD.values(), ids=BAD)
def test_bad_usage_is_one_line(overlap, workdir, untouched, words, told):
  before = untouched(workdir)
  done = overlap('analyse', f'--workdir={workdir}', '--base=a', *words)
  assert done.status == 2, done.err
  assert told in done.fault
  assert untouched(workdir) == before


@pytest.mark.parametrize('there', [False, True])
def test_a_workdir_without_predictions(overlap, tmp_path, there):
  if there:
    (tmp_path / 'w').mkdir()
  done = overlap('analyse', f'--workdir={tmp_path}/w', '--base=a')
  assert done.status == 2
  assert '`overlap ingest`' in done.fault
  assert (tmp_path / 'w').exists() == there

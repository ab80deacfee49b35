"""overlap verify as a user types it, faults and published figures alike."""

import pytest


@pytest.fixture
def workdir(overlap, predictions):
  """A workdir with two models and their tables."""
  for model in 'ab':
    path = predictions.hard(model)
    overlap('ingest', *predictions.known, f'--predictions={path}')
  path = predictions.workdir
  done = overlap('analyse', f'--workdir={path}', '--base=a', '--resamples=0')
  assert done.status == 0, done.err
  return path


def test_all_is_well(overlap, workdir):
  done = overlap('verify', f'--workdir={workdir}')
  assert (done.status, done.err) == (0, '')
  assert done.out.splitlines() == [
    f'{workdir}: every stored array and every table is as it should be'
  ]


@pytest.mark.parametrize('name', ['pairs', 'models'])
def test_a_table_that_was_edited(overlap, workdir, name):
  path = workdir / 'tables' / f'{name}.csv'
  text = path.read_text()
  path.write_text(text.replace('300', '301', 1))
  done = overlap('verify', f'--workdir={workdir}')
  assert done.status == 1
  (line,) = done.out.splitlines()
  assert line.startswith(str(path))
  assert '301' in line


def test_a_table_that_is_gone(overlap, workdir):
  (workdir / 'tables' / 'pairs.csv').unlink()
  (workdir / 'tables' / 'models.parquet').unlink()
  done = overlap('verify', f'--workdir={workdir}')
  assert done.status == 1
  assert sorted(line.split(':')[0] for line in done.out.splitlines()) == [
    str(workdir / 'tables' / 'models.parquet'),
    str(workdir / 'tables' / 'pairs.csv'),
  ]


def test_predictions_that_were_replaced_since(overlap, predictions, workdir):
  predictions.logits['b'] = predictions.logits['d']
  path = predictions.hard('b')
  words = ['ingest', *predictions.known, f'--predictions={path}', '--replace']
  assert overlap(*words).status == 0
  done = overlap('verify', f'--workdir={workdir}')
  assert done.status == 1
  assert f'{workdir}/tables/pairs.csv: row 1 has ' in done.out
  overlap('analyse', f'--workdir={workdir}', '--base=a', '--resamples=0')
  assert overlap('verify', f'--workdir={workdir}').status == 0


def test_an_array_that_was_damaged(overlap, workdir):
  (chunk, *_) = sorted(workdir.rglob('b/predicted/c/*'))
  content = bytearray(chunk.read_bytes())
  content[len(content) // 2] ^= 1
  chunk.write_bytes(content)
  done = overlap('verify', f'--workdir={workdir}')
  assert done.status == 1
  assert 'predicted' in done.out.splitlines()[0]


@pytest.mark.parametrize('alone', [['--anchors'], ['--anchors=']])
def test_the_papers_figures(overlap, alone):
  done = overlap('verify', *alone)
  assert (done.status, done.err) == (0, '')
  assert '11 of 18 figures reproduced, 7 skipped' in done.out


def test_both_at_once(overlap, workdir):
  done = overlap('verify', '--anchors', f'--workdir={workdir}')
  assert done.status == 0
  assert '11 of 18 figures reproduced, 7 skipped' in done.out
  assert 'is as it should be' in done.out
  (workdir / 'tables' / 'pairs.csv').unlink()
  done = overlap('verify', f'--workdir={workdir}', '--anchors')
  assert done.status == 1
  assert '11 of 18 figures reproduced, 7 skipped' in done.out
  assert 'pairs.csv: absent' in done.out


def test_a_folder_that_is_none(overlap, tmp_path):
  done = overlap('verify', f'--anchors={tmp_path}/none')
  assert done.status == 1
  assert f'skipped: all of Recht et al. 2018, CIFAR-10.1: {tmp_path}/none' in (
    done.out
  )


def test_cifar10_1(overlap, test_data):
  folder = test_data / 'cifar10_1'
  if not folder.is_dir():
    pytest.skip(f'no predictions of CIFAR-10.1: {folder} is absent')
  done = overlap('verify', f'--anchors={folder}')
  assert (done.status, done.err) == (0, '')
  assert done.out.splitlines()[-1] == '18 of 18 figures reproduced'


def test_no_such_workdir(overlap, tmp_path):
  done = overlap('verify', f'--workdir={tmp_path}/none')
  assert done.status == 1
  assert '--workdir must be a folder' in done.fault

"""Commands as a user types them, in this process: help and bad input."""

import os
import pathlib
import stat

import pytest

from overlap.cli import main as cli

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONFIG = f'--config={ROOT}/configs/quickstart.py:smoke'


def run(capsys, *words):
  status = cli.main([str(word) for word in words])
  captured = capsys.readouterr()
  return status, captured.out, captured.err


@pytest.mark.parametrize('words', [[], ['--help'], ['help']])
def test_the_overview_lists_every_command(capsys, words):
  status, out, err = run(capsys, *words)
  assert status == 0
  assert not err
  for name in cli.COMMANDS:
    assert f'\n  {name} ' in out


@pytest.mark.parametrize('name', list(cli.COMMANDS))
def test_every_command_lists_its_flags(capsys, name):
  status, out, err = run(capsys, name, '--help')
  assert status == 0
  assert not err
  assert out.startswith(f'overlap {name}: ')
  assert '\n  --' in out


BAD = {
  'command': (['stdy'], "Did you mean 'study'"),
  'flag': (['study', '--wrkdir=x'], 'wrkdir'),
  'positional': (['verify', 'somewhere'], "got 'somewhere'"),
  'stages of a model': (
    ['study', CONFIG, '--model=vit', '--workdir=W'],
    '--stages=train,predict, got train,predict,analyse,report',
  ),
  'no workdir': (['verify'], '--workdir must name a folder'),
  'no config': (['study', '--workdir=W'], '--config must name'),
  'no file': (['study', '--config=W/none.py', '--workdir=W'], 'none.py'),
  'argument': (
    ['study', f'{CONFIG}y', '--workdir=W'],
    "Did you mean 'smoke'",
  ),
  'misspelt field': (
    ['study', CONFIG, '--config.data.datset=x', '--workdir=W'],
    "No field of config.data is called 'datset'. Did you mean 'dataset'",
  ),
  'wrong type': (
    ['study', CONFIG, '--config.models.vit.seed=x', '--workdir=W'],
    'seed',
  ),
  'dataset': (
    ['train', CONFIG, '--config.data.dataset=fashion_mnst', '--workdir=W'],
    "Did you mean 'fashion_mnist'",
  ),
  'model': (
    ['train', CONFIG, '--model=densnet', '--workdir=W'],
    "Did you mean 'densenet'",
  ),
  'base': (
    ['train', CONFIG, '--config.base=bas', '--workdir=W'],
    "Did you mean 'base'",
  ),
  'field of a field': (
    ['train', CONFIG, '--config.models.vit.train.totl_steps=3', '--workdir=W'],
    "No field of config.models.vit.train is called 'totl_steps'. Did you mean "
    "'total_steps'",
  ),
  'architecture': (
    ['train', CONFIG, '--config.models.vit.architecture.name=vt']
    + ['--workdir=W'],
    "Did you mean 'vit'",
  ),
  'method': (
    ['train', CONFIG, '--config.models.vit.method=simclir', '--workdir=W'],
    "Did you mean 'simclr'",
  ),
  'teacher in a circle': (
    ['train', CONFIG, '--config.models.distilled.distill.teacher=distilled']
    + ['--workdir=W'],
    'learn from itself',
  ),
  'analysis': (
    ['analyse', CONFIG, "--config.analyses.tables=('pars',)", '--workdir=W'],
    "Did you mean 'pairs'",
  ),
  'stage': (
    ['study', CONFIG, '--stages=train,predct', '--workdir=W'],
    "Did you mean 'predict'",
  ),
  'resume': (
    ['study', CONFIG, '--resume=updat', '--workdir=W'],
    "Did you mean 'update'",
  ),
}


@pytest.mark.parametrize(('words', 'match'), BAD.values(), ids=BAD)
def test_bad_usage_is_one_line_and_status_2(capsys, tmp_path, words, match):
  words = [word.replace('=W', f'={tmp_path / "w"}') for word in words]
  status, out, err = run(capsys, *words)
  lines = [x for x in err.splitlines() if x.startswith('overlap: ')]
  assert status == 2, err
  assert not out
  assert len(lines) == 1, err
  assert match in lines[0]
  assert not (tmp_path / 'w' / 'models').exists()


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write anywhere')
def test_a_workdir_that_cannot_be_written_by_its_mode(capsys, tmp_path):
  tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
  status, _, err = run(capsys, 'study', CONFIG, f'--workdir={tmp_path}/w')
  assert status == 1
  assert 'must be writable' in err


def test_a_workdir_below_a_file_cannot_be_written(capsys, tmp_path):
  (tmp_path / 'file').write_text('')
  status, _, err = run(capsys, 'study', CONFIG, f'--workdir={tmp_path}/file/w')
  lines = [x for x in err.splitlines() if x.startswith('overlap: ')]
  assert status == 1
  assert len(lines) == 1
  assert 'must be a folder' in lines[0]


def test_a_dataset_that_is_not_there_is_one_line(capsys, tmp_path):
  status, _, err = run(
    capsys, 'train', CONFIG, f'--workdir={tmp_path}/w',
    '--config.data.dataset=image_folder', '--config.data.fallback=',
    f'--config.data.data_dir={tmp_path}/none',
  )  # fmt: skip
  lines = [x for x in err.splitlines() if x.startswith('overlap: ')]
  assert status == 1, err
  assert len(lines) == 1
  assert 'none' in lines[0]


def test_too_little_memory_is_one_line(capsys, monkeypatch):
  def run_out(values):
    raise MemoryError('Unable to allocate 8.00 GiB')

  monkeypatch.setattr('overlap.cli.models.run', run_out)
  status, out, err = run(capsys, 'models')
  assert (status, out) == (1, '')
  assert err == (
    'overlap: memory must suffice for this, and does not: Unable to allocate '
    '8.00 GiB.\n'
  )

"""`overlap study --dry_run`, as a user types it."""

import pathlib

from overlap.core import checksums

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONFIG = f'--config={ROOT}/configs/quickstart.py:smoke'
# Whatever this machine has of Fashion-MNIST: no data are here.
NOWHERE = '--config.data.dataset=image_folder:none'


def words(workdir, *more):
  return (
    'study', '--dry_run', CONFIG, NOWHERE, '--config.data.fallback=',
    f'--workdir={workdir}', *more,
  )  # fmt: skip


def test_it_prints_a_plan_and_writes_nothing(overlap, tmp_path):
  done = overlap(*words(tmp_path / 'w'))
  assert done.status == 0, done.err
  lines = done.out.splitlines()
  assert lines[0] == (
    f'dry run of quickstart:smoke in {tmp_path}/w: nothing is made or written'
  )
  note = 'not in data: the study would stop there'
  assert f'data: image_folder:none ({note})' in lines
  assert 'in all: 15 of 15 models made' in done.out
  assert 'report: ' not in done.out
  assert not (tmp_path / 'w').exists()


def test_one_model_and_some_stages(overlap, tmp_path):
  done = overlap(*words(tmp_path, '--model=vit', '--stages=train,predict'))
  assert done.status == 0, done.err
  assert 'in all: 1 of 1 model made' in done.out
  assert 'tables: ' not in done.out


def test_another_config_is_refused_as_the_study_refuses_it(
  overlap, tmp_path, untouched
):
  (tmp_path / 'models').mkdir()
  old = {'config': {'name': 'another'}}
  checksums.write_json(tmp_path / 'config.json', old)
  before = untouched(tmp_path)
  done = overlap(*words(tmp_path))
  assert done.status == 2
  assert 'was made by another config' in done.fault
  assert '--resume=update' in done.fault
  assert untouched(tmp_path) == before
  assert overlap(*words(tmp_path, '--resume=update')).status == 0
  assert untouched(tmp_path) == before

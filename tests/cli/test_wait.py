"""Commands in a workdir in which another run is at work."""

import json
import os

import pytest

from overlap import claims


def pretend(workdir, *names):
  """A claim of a process of another machine."""
  folder = workdir / claims.FOLDER
  folder.mkdir(parents=True)
  said = {'names': names, 'host': 'far', 'process': 7, 'since': '2026-01-01'}
  (folder / 'elsewhere-7-1-a.json').write_text(json.dumps(said))


@pytest.mark.parametrize(
  ('claimed', 'command'),
  [
    ('tables', ['report']),
    ('tables', ['study', '--config=configs/quickstart.py:smoke']),
    ('model/vit', ['study', '--config=configs/quickstart.py:smoke']),
    (
      'model/vit',
      ['train', '--config=configs/quickstart.py:smoke', '--model=vit'],
    ),
    (
      'model/base',
      ['predict', '--config=configs/quickstart.py:smoke'],
    ),
  ],
)
def test_who_is_at_work_is_said_and_nothing_is_touched(
  overlap, tmp_path, claimed, command
):
  pretend(tmp_path, claimed)
  done = overlap(*command, f'--workdir={tmp_path}', '--nowait')
  assert done.status == 1
  assert 'being worked on by process 7 on far since 2026-01-01' in done.fault
  assert os.listdir(tmp_path) == [claims.FOLDER]
  assert len(os.listdir(tmp_path / claims.FOLDER)) == 1


def test_other_models_may_be_brought_meanwhile(overlap, predictions):
  pretend(predictions.workdir, 'model/a', 'tables')
  for model in ('a', 'b'):
    done = overlap(
      'ingest', *predictions.known, '--nowait',
      f'--predictions={predictions.hard(model)}',
    )  # fmt: skip
    assert done.status == (1 if model == 'a' else 0), done
    if model == 'a':
      assert 'process 7 on far' in done.fault

"""Three of the quickstart's models from the command line to the page.

In `test_end_to_end.py` are all of them: killed, changed, damaged.
"""

import os
import pathlib
import subprocess
import sys

import pandas as pd
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Not what the tests have: more devices, and programs that are not optimised.
USERS = {
  'XLA_FLAGS': '',
  'JAX_PLATFORMS': 'cpu',
  'JAX_DISABLE_MOST_OPTIMIZATIONS': '0',
}
CONFIG = """
from overlap.core import python_file

quickstart = python_file.load({path!r})
KEPT = ('base', 'reinit_1', 'vit')


def get_config():
  study = quickstart.get_config('smoke')
  for name in set(study.models) - set(KEPT):
    del study.models[name]
  study.transfer.dataset = ''
  # Probes compile for most of the time that all tables take.
  study.analyses.tables = tuple(
    name for name in study.analyses.tables
    if not name.startswith(('joined', 'compression'))
  )
  study.report.figures = ('fig01', 'fig02', 'table1')
  return study
"""


@pytest.fixture(scope='module')
def config(tmp_path_factory):
  path = tmp_path_factory.mktemp('config') / 'few.py'
  path.write_text(CONFIG.format(path=str(ROOT / 'configs/quickstart.py')))
  return path


def overlap(*words):
  """Runs a command as users do, which succeeds; returns stdout and stderr."""
  done = subprocess.run(
    [sys.executable, '-m', 'overlap', *words],
    cwd=ROOT,
    env=os.environ | USERS,
    capture_output=True,
    text=True,
    timeout=900,
  )
  assert done.returncode == 0, done.stderr
  return done.stdout, done.stderr


def test_from_the_command_line_to_the_page(config, tmp_path):
  workdir = tmp_path / 'study'
  words = ('study', f'--config={config}', f'--workdir={workdir}')
  stdout, stderr = overlap(*words)
  assert stdout.strip() == f'report: {workdir}/report/index.html'
  said = [x.split()[1] for x in stderr.splitlines() if ', at most ' in x]
  assert said == ['train', 'predict', 'analyse', 'report', 'in']
  assert len(pd.read_csv(workdir / 'tables/models.csv')) == 3
  assert len(pd.read_csv(workdir / 'tables/pairs.csv')) == 3
  assert (workdir / 'report/index.html').stat().st_size > 10_000
  assert (workdir / 'figures/fig02.svg').exists()
  overlap('verify', f'--workdir={workdir}')

  tables = {p.name: p.read_bytes() for p in (workdir / 'tables').iterdir()}
  _, stderr = overlap(*words)
  assert stderr.count('trained already') == 3
  assert stderr.count('predicted test already') == 3
  assert 'analysed already' in stderr
  assert 'drawn already' in stderr
  assert tables == {
    p.name: p.read_bytes() for p in (workdir / 'tables').iterdir()
  }

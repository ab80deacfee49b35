"""Processes load no more of the project than their command needs."""

import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
TRAINING = (
  'flax', 'optax', 'orbax', 'grain', 'overlap.models', 'overlap.train',
  'overlap.data', 'overlap.predict',
)  # fmt: skip
BUDGETS = {
  'overlap.cli.main': ('jax', *TRAINING),
  'overlap.report': ('jax', *TRAINING),
  'overlap.notebook': ('jax', *TRAINING),
  'overlap.tables.table_io': ('jax', *TRAINING),
  'overlap.ingest': ('jax', *TRAINING),
  'overlap.stages.analyse': TRAINING,
}


@pytest.mark.parametrize('module', BUDGETS)
def test_a_process_loads_only_what_its_command_needs(module):
  code = f'import json, sys, {module}; print(json.dumps(sorted(sys.modules)))'
  done = subprocess.run(
    [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True,
    check=True,
  )  # fmt: skip
  loaded = set(json.loads(done.stdout))
  assert module in loaded
  assert not loaded & set(BUDGETS[module])

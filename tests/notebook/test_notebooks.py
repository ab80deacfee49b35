"""The notebooks: their form, and each run from top to bottom."""

import json
import pathlib
import re
import warnings

import nbclient
import nbformat
import numpy as np
import pandas as pd
import pytest

from overlap import figures
from overlap.notebook import made_up

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / 'notebooks').glob('*.ipynb'))


def read(name):
  path = ROOT / 'notebooks' / f'{name}.ipynb'
  return nbformat.read(path, as_version=4)


def code_cells(notebook):
  return [cell for cell in notebook.cells if cell.cell_type == 'code']


def fill(notebook, **values):
  """Sets fields of the forms, as a user does in Colab."""
  for name, value in values.items():
    lines = 0
    for cell in notebook.cells:
      cell.source, found = re.subn(
        rf'^{name} = .*(?=  # @param)',
        lambda _, n=name, v=value: f'{n} = {v!r}',
        cell.source,
        flags=re.MULTILINE,
      )
      lines += found
    assert lines == 1, name


def run(notebook, monkeypatch):
  """Runs all cells; returns from their ids to what they show."""
  # One device, as a user's machine has; the tests' own have four. What takes
  # longest is compiling well what runs for a moment.
  monkeypatch.setenv('XLA_FLAGS', '--xla_backend_optimization_level=0')
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    nbclient.NotebookClient(
      notebook, timeout=300, resources={'metadata': {'path': str(ROOT)}}
    ).execute()
  return {cell.id: cell.get('outputs', []) for cell in notebook.cells}


def html(outputs):
  return ''.join(one.data['text/html'] for one in outputs if 'data' in one)


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_short_cells(path):
  notebook = nbformat.read(path, as_version=4)
  nbformat.validate(notebook)
  title, install, *_ = notebook.cells
  assert 'colab-badge.svg)](https://colab.research.google.com/' in title.source
  assert 'pip install' in install.source
  assert install.source == read('overlap').cells[1].source
  code = code_cells(notebook)
  for cell in code:
    assert cell.source.count('\n') < 5, cell.id
  forms = [cell for cell in code if '# @param' in cell.source]
  assert any(re.search('^workdir = ', cell.source, re.M) for cell in forms)


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_holds_what_its_cells_show(path, store):
  notebook = nbformat.read(path, as_version=4)
  assert notebook.metadata['overlap']['digest'] == store.digest(notebook), (
    'a cell was changed: run python tests/notebook/store.py'
  )
  code = code_cells(notebook)
  assert [cell.execution_count for cell in code] == [
    *range(1, len(code) + 1)
  ]  # fmt: skip
  outputs = [one for cell in code for one in cell.outputs]
  assert not [one for one in outputs if one.output_type == 'error']
  assert any('text/html' in one.get('data', {}) for one in outputs)
  assert any('image/png' in one.get('data', {}) for one in outputs)
  # They are of no machine and no user, and stay small in the repository.
  shown = json.dumps([one for one in outputs if 'image' not in str(one)])
  assert not re.search(r'/home/|/root/|/tmp/|/Users/|0x[0-9a-f]{6}', shown)
  assert path.stat().st_size < 2e6


@pytest.mark.slow
def test_outputs_are_kept_as_they_are_shown(tmp_path, store):
  cells = [
    nbformat.v4.new_code_cell(source)
    for source in (
      'import altair as alt, sys',
      "print('told')\nprint('a log line', file=sys.stderr)",
      'chart = alt.Chart().mark_point()\nchart',
      "display(chart)\n'seen'",
    )
  ]
  notebook = nbformat.v4.new_notebook(cells=list(cells))
  store.run(notebook, tmp_path)
  assert notebook.cells == cells
  nothing, text, chart, both = (cell.outputs for cell in cells)
  assert nothing == []
  assert [one.text for one in text] == ['told\n']
  assert [sorted(one.data) for one in chart] == [['image/png']]
  assert [sorted(one.data) for one in both] == [['image/png'], ['text/plain']]
  assert chart[0].execution_count == cells[2].execution_count == 3
  nbformat.validate(notebook)
  kept = notebook.metadata['overlap']['digest']
  cells[0].source += '\n'
  assert store.digest(notebook) != kept


@pytest.mark.slow
def test_a_study_is_read(workdir, monkeypatch, synthetic):
  notebook = read('overlap')
  fill(notebook, workdir=str(workdir))
  shown = run(notebook, monkeypatch)
  assert 'Which models differ most' in html(shown['open'])
  assert f'“{synthetic.HARD_LABEL}” right' in html(shown['pair'])
  charts = [one for one in shown['all'] if one.output_type == 'display_data']
  assert len(charts) == len(figures.FIGURES)
  assert synthetic.HOSTILE not in html(shown['open'])


@pytest.mark.slow
def test_own_models_are_compared(tmp_path, monkeypatch):
  notebook = read('bring_your_own_models')
  fill(notebook, workdir=str(tmp_path / 'mine'))
  fault = nbformat.v4.new_code_cell('import overlap\noverlap.load_study("no")')
  fault.metadata['tags'] = ['raises-exception']
  fault.id = 'fault'
  notebook.cells.append(fault)
  shown = run(notebook, monkeypatch)
  files = tmp_path / 'mine-files'
  labels = pd.read_csv(files / 'labels.csv')['label'].to_numpy()
  one = np.load(files / 'cnn.npz')['logits'].argmax(axis=1) == labels
  other = pd.read_csv(files / 'transformer.csv').set_index('filename')
  other = other.to_numpy().argmax(axis=1) == labels
  joint = html(shown['pair'])
  for count in (one & other, one & ~other, ~one & other, ~one & ~other):
    assert f'{count.sum():,} (' in joint
  assert (tmp_path / 'mine' / 'report' / 'index.html').exists()
  # An error is its one line, not a page of calls.
  assert shown['fault'][0].traceback == [
    "DataError: The workdir must be a study's folder, with tables in it, got"
    ' no, which does not exist.'
  ]


@pytest.mark.slow
def test_own_features_are_probed(tmp_path, monkeypatch):
  notebook = read('probe_your_features')
  fill(notebook, workdir=str(made_up.features(tmp_path, width=8)))
  shown = run(notebook, monkeypatch)
  assert 'cnn + transformer' in html(shown['probe'])
  for cell in ('gains', 'overlap'):
    assert '<td>cnn</td>' in html(shown[cell]).replace('th>', 'td>')

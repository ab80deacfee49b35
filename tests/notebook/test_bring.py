"""Tests of overlap.notebook's ways to bring predictions in and compare."""

import numpy as np
import pandas as pd
import pytest

from overlap import notebook
from overlap.core import errors
from overlap.notebook import made_up


@pytest.fixture
def files(tmp_path):
  return made_up.predictions(tmp_path / 'files', examples=200)


def test_ingested_files_become_a_study(files, tmp_path):
  workdir, labels = tmp_path / 'w', files / 'labels.csv'
  rows = notebook.ingest(workdir, files / 'cnn.npz', labels=str(labels))
  assert rows.to_dict('records') == [{
    'model': 'cnn', 'kind': 'logits', 'examples': 200, 'classes': 10,
    'aligned_by': 'id', 'new': True,
  }]  # fmt: skip
  again = notebook.ingest(workdir, files / 'cnn.npz')
  assert again['new'].tolist() == [False]
  notebook.ingest(workdir, files / 'cnn-2.csv', category='REINIT')
  study = notebook.compare(workdir, 'cnn', tables=['models', 'pairs'])
  truth = pd.read_csv(labels)['label']
  right = [
    np.load(files / 'cnn.npz')['logits'].argmax(axis=1) == truth,
    pd.read_csv(files / 'cnn-2.csv').iloc[:, 1:].to_numpy().argmax(1) == truth,
  ]
  pair = study.pair('cnn', 'cnn-2')
  assert pair.only_1 == (right[0] & ~right[1]).sum()
  assert pair.only_2 == (right[1] & ~right[0]).sum()
  assert pair.category == 'REINIT'


def test_faults_are_one_line(files, tmp_path):
  with pytest.raises(errors.OverlapError, match='labels'):
    notebook.ingest(tmp_path / 'w', files / 'cnn.npz')
  with pytest.raises(errors.UsageError, match='none: `overlap ingest`'):
    notebook.compare(tmp_path / 'w', 'cnn')


def test_made_up_files_leave_others_alone(files):
  (files / 'cnn-2.csv').write_text('mine')
  before = (files / 'cnn.npz').read_bytes()
  made_up.predictions(files, examples=100)
  assert (files / 'cnn-2.csv').read_text() == 'mine'
  assert (files / 'cnn.npz').read_bytes() == before

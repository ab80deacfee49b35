"""Metrics for TensorBoard: written where TensorFlow is, silent elsewhere."""

import sys
import warnings

import pytest

from overlap.train import scalars


def test_without_tensorflow_there_is_no_writer(monkeypatch, tmp_path):
  monkeypatch.setitem(sys.modules, 'clu', None)
  assert scalars.scalar_writer(str(tmp_path)) is None


def test_with_tensorflow_each_phase_has_its_events(tmp_path):
  pytest.importorskip('tensorflow')
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    write = scalars.scalar_writer(str(tmp_path))
    write('pretrain', 1, {'loss': 2.0})
    write('train', 1, {'loss': 1.0, 'accuracy': 0.5})
  assert sorted(path.name for path in tmp_path.iterdir()) == [
    'pretrain', 'train',
  ]  # fmt: skip
  for phase in ('pretrain', 'train'):
    assert list((tmp_path / phase).glob('events.out.tfevents.*'))

"""Devices of a machine, divided among processes."""

import os

import pytest

from overlap.core import errors
from overlap.launch import devices


def test_gpus_are_divided_evenly_and_in_order():
  shares = devices.divide('cuda:0,1,2,3', 2)
  visible = [share.env['CUDA_VISIBLE_DEVICES'] for share in shares]
  assert visible == ['0,1', '2,3']
  assert [share.label for share in shares] == ['cuda 0,1', 'cuda 2,3']
  assert len(devices.divide('cuda:0,1,2,3', 0)) == 4


def test_chips_are_told_their_shape_and_a_port_each():
  shares = devices.divide('tpu:0,1,2,3', 4)
  assert [s.env['TPU_VISIBLE_CHIPS'] for s in shares] == ['0', '1', '2', '3']
  assert {s.env['TPU_CHIPS_PER_PROCESS_BOUNDS'] for s in shares} == {'1,1,1'}
  assert len({s.env['TPU_MESH_CONTROLLER_PORT'] for s in shares}) == 4
  # All chips of a host need no words.
  assert devices.divide('tpu:0,1,2,3', 1)[0].env == {}


@pytest.mark.parametrize('parallel', [1, 2, 3, 64])
def test_cores_are_divided_without_a_remainder_shared(monkeypatch, parallel):
  monkeypatch.setattr(os, 'sched_getaffinity', lambda _: set(range(10, 18)))
  shares = devices.divide('cpu', parallel)
  assert len(shares) == parallel
  cores = [core for share in shares for core in share.cpus]
  assert len(set(cores)) == len(cores)
  each = 0 if parallel in (1, 64) else 8 // parallel
  assert {len(share.cpus) for share in shares} == {each}
  threads = {share.env.get('OMP_NUM_THREADS') for share in shares}
  assert threads == {str(each) if each else None}


def test_auto_is_what_the_environment_shows(monkeypatch):
  monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '4,7')
  shares = devices.divide('auto', 0)
  assert [s.env['CUDA_VISIBLE_DEVICES'] for s in shares] == ['4', '7']
  monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
  monkeypatch.setattr(devices.glob, 'glob', lambda pattern: [
    path
    for path in ('/dev/nvidia0', '/dev/accel0', '/dev/accel1')
    if path.startswith(pattern.split('[')[0])
  ])  # fmt: skip
  assert [s.label for s in devices.divide('auto', 0)] == ['tpu 0', 'tpu 1']


@pytest.mark.parametrize(
  ('text', 'parallel', 'said'),
  [
    ('cuda:0,1,2', 2, '3 devices must be divided evenly, got --parallel=2'),
    ('cuda:0,0', 1, "each once, as in 'cuda:0,1', got 'cuda:0,0'"),
    ('cpu:0', 1, "got 'cpu:0'"),
    ('tpu', 1, "got 'tpu'"),
    ('tpu:0,1,2,3,4,5', 2, 'in parts of 1, 2, 4, 8, got 3 for each'),
    ('gpu:0', 1, 'Choices: cpu, cuda, tpu, auto'),
    ('cpu', -1, '--parallel must be at least 0, got -1'),
  ],
)
def test_what_cannot_be_divided_is_one_line(text, parallel, said):
  with pytest.raises(errors.UsageError) as caught:
    devices.divide(text, parallel)
  assert said in str(caught.value)

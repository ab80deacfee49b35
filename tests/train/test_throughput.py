"""Rates of a run: what is counted, and what is left out."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import pytest

from overlap.train import loop, step, throughput

WIDTH, BATCH = 64, 32


def loss(params, batch_stats, constants, batch, key):
  """Three products of BATCH by WIDTH by WIDTH, forward and backward."""
  del constants, key
  value = jnp.mean((batch['image'] @ params['w']) ** 2)
  return value, step.Aux(batch_stats, {})


def fit(folder, *, wait=0.0, steps=12):
  def batches_from(start):
    for number in range(start, steps):
      time.sleep(wait)
      yield {'image': np.full((BATCH, WIDTH), number, np.float32)}

  loop.fit(
    name='toy',
    params={'w': np.ones((WIDTH, WIDTH), np.float32)},
    batch_stats={},
    constants=(),
    loss=loss,
    optimizer=optax.sgd(1e-6),
    batches_from=batches_from,
    total_steps=steps,
    seed=0,
    folder=folder,
    log_every_steps=4,
    checkpoint_every_steps=steps,
  )
  return pd.read_csv(folder / 'metrics.csv')


def test_waiting_for_input_shows(tmp_path):
  rows = fit(tmp_path, wait=0.05)
  assert list(rows['step']) == [4, 8, 12]
  assert list(rows.columns) == [
    'step', 'grad_norm', 'loss',
    'images_per_second', 'seconds_per_step', 'input_wait',
  ]  # fmt: skip
  assert (rows['seconds_per_step'] >= 0.05).all()
  assert (rows['input_wait'] > 0.5).all()
  assert (rows['input_wait'] <= 1).all()
  np.testing.assert_allclose(
    rows['images_per_second'] * rows['seconds_per_step'], BATCH
  )


def test_utilisation_is_operations_by_the_peak(tmp_path, monkeypatch):
  monkeypatch.setitem(throughput.PEAKS, jax.devices()[0].device_kind, 1e12)
  rows = fit(tmp_path)
  # Forward, and the gradient of the parameters: the images have none.
  flops = 2 * 2 * BATCH * WIDTH * WIDTH
  share = flops / (rows['seconds_per_step'] * 1e12 * jax.device_count())
  # What is not a product counts too.
  ratio = rows['flops_utilisation'] / share
  assert ((ratio > 1) & (ratio < 1.2)).all()


def test_a_run_of_one_step_has_no_rates(tmp_path):
  assert list(fit(tmp_path, steps=1).columns) == ['step', 'grad_norm', 'loss']


@pytest.mark.parametrize(
  ('kind', 'rate'),
  [
    ('cpu', None),
    ('TPU v4', 275e12),
    ('TPU v5', 459e12),
    ('TPU v5p', 459e12),
    ('TPU v5 lite', 197e12),
    ('TPU v6 lite', 918e12),
    ('NVIDIA A100-SXM4-80GB', 312e12),
    ('NVIDIA H100 80GB HBM3', 989e12),
    ('NVIDIA H100 PCIe', 756e12),
    ('NVIDIA RTX', None),
  ],
)
def test_peaks_are_of_the_longest_name_that_fits(kind, rate):
  assert throughput.peak(kind) == rate

"""The loop: resume bit for bit, stop at a loss that is not finite."""

import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import pytest

from overlap.core import checksums, errors
from overlap.train import loop, optimizer, step

DATA = np.random.default_rng(0).normal(size=(40, 8, 5)).astype(np.float32)


def loss(params, batch_stats, constants, batch, key):
  """Noisy least squares, with statistics that move."""
  noise = jax.random.normal(key, batch['x'].shape) * constants['noise']
  value = jnp.mean((batch['x'] @ params['w'] + noise[:, 0] - 1) ** 2)
  mean = 0.9 * batch_stats['mean'] + 0.1 * jnp.mean(batch['x'])
  return value, step.Aux({'mean': mean}, {})


def diverging(params, batch_stats, constants, batch, key):
  value, aux = loss(params, batch_stats, constants, batch, key)
  return jnp.where(batch['x'][0, 0] == DATA[6, 0, 0], jnp.nan, value), aux


# What of metrics.csv does not depend on the clock.
MEASURED = ['step', 'grad_norm', 'loss']


class Killed(Exception):
  """Stands for the machine going away."""


def batches_from(start, *, kill_at=None):
  for number in range(start, len(DATA)):
    if number == kill_at:
      raise Killed
    yield {'x': DATA[number]}


def run(folder, *, total_steps=20, batches=batches_from, with_loss=loss):
  return loop.fit(
    name='toy',
    params={'w': np.zeros(5, np.float32)},
    batch_stats={'mean': np.zeros((), np.float32)},
    constants={'noise': np.float32(0.1)},
    loss=with_loss,
    optimizer=OPTIMIZER,
    batches_from=lambda start: itertools.islice(
      batches(start), total_steps - start
    ),
    total_steps=total_steps,
    seed=3,
    folder=folder,
    log_every_steps=5,
    checkpoint_every_steps=4,
  )


OPTIMIZER = optimizer.build(
  'sgd',
  learning_rate=0.1,
  warmup_steps=2,
  total_steps=20,
  weight_decay=1e-3,
)


def test_a_run_does_not_go_on_from_a_damaged_checkpoint(tmp_path):
  with pytest.raises(Killed):
    run(tmp_path, batches=lambda start: batches_from(start, kill_at=9))
  notes = tmp_path / 'checkpoints.json'
  assert '8' in json.loads(notes.read_text())['sha256']
  content = notes.read_text()
  for text in (content[:-9], content.replace('"8": "', '"8": "f', 1)):
    notes.write_text(text)
    with pytest.raises(errors.DataError, match='trained from the beginning'):
      run(tmp_path)
  # As if its files were others.
  checksums.write_json(notes, {'sha256': {'8': '0' * 64}})
  with pytest.raises(errors.DataError, match=r'step 8 .* other files'):
    run(tmp_path)
  for file in (tmp_path / 'checkpoints/8').rglob('manifest.ocdbt'):
    file.write_bytes(b'')
  with pytest.raises(errors.DataError, match=r'step 8 .* from the beginning'):
    run(tmp_path)


@pytest.mark.parametrize('kill_at', [3, 4, 11, 19])
def test_killed_and_resumed_ends_with_the_same_bits(tmp_path, kill_at):
  whole = run(tmp_path / 'whole')

  def killed(start):
    return batches_from(start, kill_at=kill_at)

  with pytest.raises(Killed):
    run(tmp_path / 'killed', batches=killed)
  resumed = run(tmp_path / 'killed')
  assert whole['params']['w'].any()
  jax.tree.map(np.testing.assert_array_equal, whole, resumed)
  first = pd.read_csv(tmp_path / 'whole/metrics.csv')
  second = pd.read_csv(tmp_path / 'killed/metrics.csv')
  pd.testing.assert_frame_equal(first[MEASURED], second[MEASURED])


def test_a_finished_run_takes_no_further_step(tmp_path):
  done = run(tmp_path)

  def none(start):
    assert start == 20
    return iter(())

  jax.tree.map(np.testing.assert_array_equal, done, run(tmp_path, batches=none))


def test_a_loss_that_is_not_finite_names_its_step_and_saves_nothing(tmp_path):
  with pytest.raises(errors.DataError, match=r'nan at step 7 of 20'):
    run(tmp_path, with_loss=diverging)
  assert sorted(p.name for p in (tmp_path / 'checkpoints').iterdir()) == ['4']


def test_other_seeds_give_other_runs(tmp_path):
  state = step.create_state(
    {'w': jnp.zeros(5)}, {'mean': jnp.zeros(())}, OPTIMIZER
  )
  outcomes = [
    step.train_step(
      jax.tree.map(jnp.copy, state),
      {'noise': jnp.float32(0.1)},
      {'x': DATA[0]},
      np.uint32(seed),
      loss=loss,
      optimizer=OPTIMIZER,
    )[1]['loss']
    for seed in (0, 0, 1)
  ]
  assert outcomes[0] == outcomes[1] != outcomes[2]


@pytest.mark.parametrize('name', optimizer.OPTIMIZERS)
def test_weight_decay_leaves_biases_alone(name):
  params = {'kernel': jnp.ones((2, 2)), 'bias': jnp.ones(2)}
  transform = optimizer.build(
    name,
    learning_rate=0.1,
    warmup_steps=0,
    total_steps=10,
    weight_decay=0.5,
  )
  grads = jax.tree.map(jnp.zeros_like, params)
  updates, _ = transform.update(grads, transform.init(params), params)
  after = optax.apply_updates(params, updates)
  assert np.all(after['kernel'] < 1)
  np.testing.assert_array_equal(after['bias'], 1)


@pytest.mark.parametrize(
  ('name', 'warmup', 'total', 'match'),
  [('sdg', 0, 10, "'sgd'"), ('sgd', 10, 10, 'warmup_steps=10')],
)
def test_bad_optimizers_are_one_line(name, warmup, total, match):
  with pytest.raises(errors.UsageError, match=match):
    optimizer.build(
      name,
      learning_rate=0.1,
      warmup_steps=warmup,
      total_steps=total,
      weight_decay=0.0,
    )

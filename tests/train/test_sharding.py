"""Training with everything sharded over the devices is training."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from overlap.config import schema
from overlap.core import errors
from overlap.data.examples import ArrayExamples
from overlap.distributed import meshes
from overlap.study import specs
from overlap.train import checkpoint, loop, step, trainer
from overlap.train.task import Task

RNG = np.random.default_rng(0)
EXAMPLES = ArrayExamples(
  dataset='noise',
  split='train',
  ids=np.array([f'train/{i}' for i in range(64)]),
  class_names=tuple('abcd'),
  images=RNG.integers(0, 256, (64, 8, 8, 1)).astype(np.uint8),
  labels=RNG.integers(0, 4, 64).astype(np.int32),
)
OPTIONS = {
  'vit': {
    'patch_size': 4, 'hidden_size': 16, 'depth': 1, 'num_heads': 2,
    'dropout_rate': 0.1,
  },
  'resnet': {
    'stage_sizes': (1,), 'block': 'basic', 'width': 8, 'stem': 'small',
  },
}  # fmt: skip


def task(folder, architecture, sharding, **flat):
  config = schema.model(architecture, **OPTIONS[architecture])
  config.update_from_flattened_dict(
    {
      'train.optimizer': 'adamw',
      'train.learning_rate': 1e-2,
      'train.total_steps': 10,
      'train.batch_size': 16,
      'train.augment': 'flip',
      'train.log_every_steps': 1,
      'train.checkpoint_every_steps': 4,
      'train.sharding': sharding,
    }
    | flat
  )
  settings = schema._plain(config.to_dict())
  return Task(
    name='toy',
    model=specs.build_model(settings, num_classes=4),
    model_input=specs.model_input(settings, EXAMPLES),
    settings=settings,
    train=EXAMPLES,
    heldout=None,
    folder=folder,
    num_threads=1,
    batch_size=16,
  )


def losses(folder):
  return pd.read_csv(folder / 'train/metrics.csv')['loss'].to_numpy()


@pytest.fixture
def held(monkeypatch):
  """The share of what is trained that the first device has, step by step."""
  kept = []
  take = step.train_step

  def spy(*args, **kwargs):
    state, metrics = take(*args, **kwargs)
    kept.append([share(state.params), share(state.opt_state)])
    return state, metrics

  spy.lower = take.lower
  monkeypatch.setattr(loop.step, 'train_step', spy)
  return kept


@pytest.mark.slow
@pytest.mark.parametrize('architecture', OPTIONS)
def test_the_loss_is_that_of_the_replicated_run(tmp_path, architecture, held):
  ends = {}
  for kind in meshes.SHARDINGS:
    ends[kind], _ = trainer.train_model(
      task(tmp_path / kind, architecture, kind)
    )
  np.testing.assert_allclose(
    losses(tmp_path / 'fsdp'), losses(tmp_path / 'replicated'), rtol=1e-4
  )
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-2, atol=2e-3),
    ends['fsdp'],
    ends['replicated'],
  )
  assert held[:10] == [[1, 1]] * 10
  # What does not divide, such as an optimiser's count, stays whole.
  np.testing.assert_allclose(held[10:], 1 / jax.device_count(), rtol=0.03)


def share(tree):
  """The share of a tree's bytes that the first device holds."""
  held = sum(
    shard.data.nbytes
    for leaf in jax.tree.leaves(tree)
    for shard in leaf.addressable_shards
    if shard.device == jax.devices()[0]
  )
  return held / sum(leaf.nbytes for leaf in jax.tree.leaves(tree))


@pytest.mark.slow
def test_one_kind_goes_on_from_the_checkpoint_of_the_other(
  tmp_path, monkeypatch
):
  whole, _ = trainer.train_model(task(tmp_path / 'whole', 'vit', 'fsdp'))
  done = []
  save = checkpoint.RunCheckpoints.save

  def save_and_die(self, number, state):
    save(self, number, state)
    done.append(number)
    if number in (4, 8):
      raise InterruptedError

  monkeypatch.setattr(checkpoint.RunCheckpoints, 'save', save_and_die)
  for kind in ('fsdp', 'replicated'):
    with pytest.raises(InterruptedError):
      trainer.train_model(task(tmp_path / 'killed', 'vit', kind))
  resumed, _ = trainer.train_model(task(tmp_path / 'killed', 'vit', 'fsdp'))
  assert done == [4, 8, 10]
  np.testing.assert_allclose(
    losses(tmp_path / 'killed'), losses(tmp_path / 'whole'), rtol=1e-4
  )
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-2, atol=2e-3),
    resumed,
    whole,
  )


@pytest.mark.parametrize(
  ('shape', 'axis'),
  [((), None), ((3,), None), ((8,), 0), ((8, 12), 1), ((3, 4, 6), 1)],
)
def test_the_largest_axis_that_divides_is_cut(shape, axis):
  leaf = jax.ShapeDtypeStruct(shape, jnp.float32)
  spec = meshes.shardings(leaf, 'fsdp').spec
  cut = [i for i, name in enumerate(spec) if name == 'data']
  assert cut == ([] if axis is None else [axis])
  assert not any(meshes.shardings(leaf).spec)


def test_an_unknown_sharding_is_one_line():
  config = schema.model('vit', **OPTIONS['vit'])
  config.train.sharding = 'fdsp'
  settings = schema._plain(config.to_dict())
  with pytest.raises(errors.UsageError, match="'fsdp'") as caught:
    specs.check_specs(
      {'models': {'toy': settings}, 'transfer': {'dataset': ''}}
    )
  assert '\n' not in str(caught.value)


def test_the_sharding_is_in_no_hash():
  hashes = set()
  for kind in meshes.SHARDINGS:
    config = schema.study()
    config.data.dataset = 'noise'
    config.models.base = schema.model('vit', **OPTIONS['vit'])
    config.models.base.train.sharding = kind
    study = schema.resolve(config)
    settings = study['models']['base']
    hashes.add(
      (
        specs.training_hash(study, 'base', 'noise'),
        specs.axes(settings, 'noise')['hparams'],
      )
    )
  assert len(hashes) == 1

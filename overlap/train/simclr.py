"""SimCLR (Chen et al. 2020): two views, a projection head, NT-Xent.

Pre-training uses no labels. The classifier is fitted afterwards, by L-BFGS on
the frozen features (`head.fit='lbfgs'`) or by fine-tuning the whole network
for `train.total_steps`.
"""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from overlap.data import augment
from overlap.predict.forward import Input
from overlap.train import losses, step, supervised
from overlap.train.task import Task, on_device, run_phase


class Projection(nn.Module):
  """Projection head on the features, used in pre-training only.

  Attributes:
    hidden_size: width of the hidden layer.
    projection_size: width of the output.
  """

  hidden_size: int
  projection_size: int

  @nn.compact
  def __call__(self, features: jax.Array) -> jax.Array:
    """Maps features `[B, D]` to `[B, projection_size]`."""
    hidden = nn.relu(nn.Dense(self.hidden_size, name='hidden')(features))
    return nn.Dense(self.projection_size, name='out')(hidden)


def train(task: Task, variables: Any) -> Any:
  """Pre-trains without labels, then fine-tunes if there are steps for it."""
  settings = task.settings['simclr']
  projection = Projection(settings['hidden_size'], settings['projection_size'])
  width = variables['params']['head']['kernel'].shape[0]
  projection_params = projection.init(
    jax.random.key(task.settings['seed']), jnp.zeros((1, width))
  )['params']
  start = {
    'params': {
      'encoder': variables['params'],
      'projection': projection_params,
    },
    'batch_stats': variables.get('batch_stats', {}),
  }
  loss = make_loss(
    task.model,
    task.model_input,
    projection,
    policy=on_device(settings),
    temperature=settings['temperature'],
  )
  end = run_phase(task, 'pretrain', start, loss, settings, views=2)
  encoder = dict(end['params']['encoder'])
  # Weight decay shrank the unused classifier: reinitialise for fine-tuning.
  encoder['head'] = variables['params']['head']
  return supervised.train(
    task, {'params': encoder, 'batch_stats': end['batch_stats']}
  )


@functools.cache
def make_loss(
  model: nn.Module,
  model_input: Input,
  projection: Projection,
  *,
  policy: str,
  temperature: float,
) -> step.Loss:
  """Returns the loss of one step: NT-Xent between two views of each image."""
  transform = augment.build(policy)

  def loss(params, batch_stats, constants, batch, key):
    del constants
    first_key, second_key, dropout_key = jax.random.split(key, 3)
    first, second = (
      supervised.prepare(model_input, images)
      for images in _pair(batch['image'])
    )
    # Interleaved, so that each device holds both views of its examples.
    views = jnp.stack(
      [transform(first_key, first), transform(second_key, second)], axis=1
    )
    (_, features), updates = supervised.apply_train(
      model,
      model_input,
      params['encoder'],
      batch_stats,
      views.reshape(-1, *first.shape[1:]),
      dropout_key,
    )
    projected = projection.apply({'params': params['projection']}, features)
    value = jnp.mean(
      losses.nt_xent(projected[0::2], projected[1::2], temperature)
    )
    return value, step.Aux(updates.get('batch_stats', {}), {})

  return loss


def _pair(images: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Returns the two views of each image, or the image twice.

  Args:
    images: views already augmented on the host, `[B, 2, H, W, C]`, or images
      still to augment, `[B, H, W, C]`.
  """
  if images.ndim == 5:
    return images[:, 0], images[:, 1]
  return images, images

"""Batch norm over groups of devices rather than over all.

A step is one program over the global batch, so the statistics of batch norm
are by default those of all examples on all devices. With groups, each block of
consecutive examples, which lies on neighbouring devices, has its own
statistics, without communication between groups.
"""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from overlap.core import errors
from overlap.train.step import Aux, Loss, Scheduled

_CONTRASTIVE = ('simclr', 'image_text')


# Cached, so that models that differ in their seed share a compiled step.
@functools.cache
def in_groups(loss: Loss | Scheduled, count: int) -> Loss | Scheduled:
  """Returns the mean of a loss over equal consecutive blocks of the batch.

  Running statistics and metrics are means over the groups; each group has its
  own random key. Other operations across examples, such as MixUp, act within a
  group too.

  Args:
    loss: loss of one group, see `step.train_step`.
    count: number of groups; 1 returns `loss` itself.
  """
  if count == 1:
    return loss
  if isinstance(loss, Scheduled):
    return Scheduled(lambda step: _mean(loss.at(step), count))
  return _mean(loss, count)


def _mean(loss: Loss, count: int) -> Loss:
  def mean_loss(params, batch_stats, constants, batch, key):
    def of_one(rows, number):
      return loss(
        params, batch_stats, constants, rows, jax.random.fold_in(key, number)
      )

    split = jax.tree.map(
      lambda leaf: leaf.reshape(count, -1, *leaf.shape[1:]), batch
    )
    values, aux = jax.vmap(of_one)(split, jnp.arange(count))
    value, stats, metrics = jax.tree.map(
      lambda leaf: jnp.mean(leaf, axis=0), (values, *aux)
    )
    return value, Aux(stats, metrics)

  return mean_loss


def check_groups(at: str, settings: Mapping[str, Any], method: str) -> None:
  """Checks the number of groups.

  Args:
    at: name of the model in error messages.
    settings: config of the model.
    method: training method.

  Raises:
    UsageError: the number is less than 1 or does not divide the parts of a
      batch, or the method compares all examples of a batch.
  """
  common = settings['train']
  count = common['batch_norm_groups']
  if count < 1:
    raise errors.UsageError(
      f'{at}.train.batch_norm_groups must be at least 1, got {count}.'
    )
  if count > 1 and method in _CONTRASTIVE:
    raise errors.UsageError(
      f'{at}.train.batch_norm_groups must be 1 where method={method!r}, which '
      f'compares all examples of a batch, got {count}.'
    )
  parts = common['accumulate_steps']
  for phase in ('train', method):
    size = settings.get(phase, {}).get('batch_size', 0)
    if size % (count * max(parts, 1)):
      raise errors.UsageError(
        f'{at}.{phase}.batch_size must be a multiple of batch_norm_groups='
        f'{count} times accumulate_steps={parts}, got {size}.'
      )

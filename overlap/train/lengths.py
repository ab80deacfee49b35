"""Length of a training phase, in steps or in epochs."""

from collections.abc import Mapping
from typing import Any

from overlap.core import errors


def is_trained(settings: Mapping[str, Any]) -> bool:
  """Returns whether a phase has any training steps.

  Args:
    settings: fields of `config.train` or of another phase.
  """
  return bool(settings['total_steps'] or settings['total_epochs'])


def in_steps(settings: Mapping[str, Any], num_examples: int) -> dict[str, Any]:
  """Returns the fields with lengths in steps and the scaled learning rate.

  `total_steps` and `warmup_steps` take precedence over `total_epochs` and
  `warmup_epochs`, which are converted to steps of `batch_size`.
  `learning_rate` scales linearly with the batch relative to
  `learning_rate_batch`, if given (Goyal et al., 'Accurate, Large Minibatch
  SGD', 2017).

  Args:
    settings: fields of `config.train` or of another phase.
    num_examples: number of examples of the training split.

  Raises:
    UsageError: a length is negative, or an epoch has no step.
  """
  made = dict(settings)
  for field in ('total_epochs', 'warmup_epochs', 'learning_rate_batch'):
    if settings.get(field, 0) < 0:
      raise errors.UsageError(
        f'{field} must be at least 0, got {settings[field]}.'
      )
  if not settings['total_steps'] and settings.get('total_epochs'):
    per_epoch = num_examples / settings['batch_size']
    made['total_steps'] = round(settings['total_epochs'] * per_epoch)
    made['warmup_steps'] = round(settings.get('warmup_epochs', 0) * per_epoch)
    if not made['total_steps']:
      raise errors.UsageError(
        'total_epochs must make at least one step, got '
        f'{settings["total_epochs"]} of {num_examples} examples in batches of '
        f'{settings["batch_size"]}.'
      )
  if reference := settings.get('learning_rate_batch'):
    made['learning_rate'] *= settings['batch_size'] / reference
  return made

"""BiT-HyperRule: fine-tuning settings of a pre-trained model for any data.

Kolesnikov et al., 'Big Transfer (BiT): General Visual Representation Learning'
(ECCV 2020), Sec. 3.3. The rule depends on the number of training examples and
the size of their images only.
"""

from typing import Any

from overlap.core import errors

# Number of examples from which on a task is medium, and large.
MEDIUM, LARGE = 20_000, 500_000
_STEPS = {'small': 500, 'medium': 10_000, 'large': 20_000}
# Warm-up steps. For small tasks the paper's 500 would be the whole schedule;
# these are the 100 steps of the authors' code.
_WARMUP_STEPS = {'small': 100, 'medium': 500, 'large': 500}
# Side of the square below whose area images are resized and cropped to less.
_SMALL_IMAGE = 96
_SIZES = {True: (160, 128), False: (448, 384)}


def task_size(num_examples: int) -> str:
  """Returns the size of a task: 'small', 'medium' or 'large'.

  Raises:
    UsageError: there are no examples.
  """
  if num_examples < 1:
    raise errors.UsageError(
      f'num_examples must be at least 1, got {num_examples}.'
    )
  if num_examples < MEDIUM:
    return 'small'
  return 'medium' if num_examples < LARGE else 'large'


def sizes(height: int, width: int) -> tuple[int, int]:
  """Returns the sides of images before and after the random crop, in pixels.

  Raises:
    UsageError: a side has no pixels.
  """
  if min(height, width) < 1:
    raise errors.UsageError(
      f'An image must have at least one pixel, got {height}×{width}.'
    )
  return _SIZES[height * width < _SMALL_IMAGE**2]


def overrides(num_examples: int, height: int, width: int) -> dict[str, Any]:
  """Returns the rule's fields of a model's config, by dotted path.

  Args:
    num_examples: number of examples of the training split.
    height: height of the images, in pixels.
    width: width of the images, in pixels.

  Raises:
    UsageError: there are no examples, or a side has no pixels.
  """
  task = task_size(num_examples)
  resized, cropped = sizes(height, width)
  return {
    'input.size': cropped,
    'train.resize': resized,
    'train.augment': f'cut({cropped})|flip',
    'train.total_steps': _STEPS[task],
    'train.warmup_steps': _WARMUP_STEPS[task],
    'train.batch_size': 512,
    'train.optimizer': 'sgd',
    'train.learning_rate': 0.003,
    'train.momentum': 0.9,
    'train.nesterov': False,
    'train.weight_decay': 0.0,
    'train.schedule': 'step',
    'train.milestones': (0.3, 0.6, 0.9),
    'train.decay_factor': 0.1,
    'train.mixup': 0.0 if task == 'small' else 0.1,
  }

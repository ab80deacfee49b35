"""Ranges of the numbers in a study's config.

Covers all numeric fields except those of `config.analyses`, which
`analyses.options` checks.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from overlap.core import errors


class Range(NamedTuple):
  """Range of allowed numbers of a field, inclusive unless open.

  Attributes:
    low: lower bound.
    high: upper bound.
    low_open: whether `low` itself is excluded.
    high_open: whether `high` itself is excluded.
    only: allowed numbers, if not all between the bounds.
  """

  low: float
  high: float = math.inf
  low_open: bool = False
  high_open: bool = False
  only: tuple[float, ...] = ()

  def holds(self, value: float) -> bool:
    """Returns whether a finite number is in the range."""
    above = value > self.low if self.low_open else value >= self.low
    below = value < self.high if self.high_open else value <= self.high
    among = not self.only or value in self.only
    return math.isfinite(value) and above and below and among

  def __str__(self) -> str:
    if self.only:
      return f'one of {", ".join(map(str, self.only))}'
    if math.isinf(self.high):
      if math.isinf(self.low):
        return 'finite'
      return f'{"above" if self.low_open else "at least"} {self.low:g}'
    ends = '(['[not self.low_open], ')]'[not self.high_open]
    return f'in {ends[0]}{_short(self.low)}, {_short(self.high)}{ends[1]}'


def _short(number: float) -> str:
  return f'{number:.0f}' if abs(number) >= 1 else f'{number:g}'


_ANY = Range(-math.inf)
_NOT_NEGATIVE = Range(0)
_POSITIVE = Range(0, low_open=True)
_SHARE = Range(0, 1)
_BELOW_ONE = Range(0, 1, high_open=True)
_SEED = Range(0, 2**32 - 1)  # JAX would truncate larger ones.
_STEPS = Range(0, 2**31 - 1)  # Limit of the state's int32 counter.
_COUNT = Range(1, 2**31 - 1)
_MAY_BE_NONE = Range(0, 2**31 - 1)
_BATCH = Range(1, 2**24)
_PIXELS = Range(0, 2**14)  # Above any image, below the limits of memory.
_THREADS = Range(1, 1024)

OF_STUDY: Mapping[str, Range] = {
  'data.image_size': _PIXELS,
  'data.num_threads': _THREADS,
  'predict.batch_size': _BATCH,
  'report.thumbnails': _PIXELS,
}
_PHASE: Mapping[str, Range] = {
  'total_steps': _STEPS,
  'total_epochs': _NOT_NEGATIVE,
  'batch_size': _BATCH,
  'learning_rate': _NOT_NEGATIVE,
  'learning_rate_batch': _MAY_BE_NONE,
  'warmup_steps': _STEPS,
  'warmup_epochs': _NOT_NEGATIVE,
  'weight_decay': _NOT_NEGATIVE,
  'label_smoothing': _BELOW_ONE,
  'augment_on_host': Range(0, 99),
}
OF_MODEL: Mapping[str, Range] = {
  'seed': _SEED,
  'input.size': _PIXELS,
  'input.channels': Range(0, 3, only=(0, 1, 3)),
  'input.mean': _ANY,
  'input.std': _POSITIVE,
  'input.crop': Range(0, 1, low_open=True),
  **{
    f'{phase}.{field}': bounds
    for phase in ('train', 'simclr', 'image_text', 'mpl', 'pretrain')
    for field, bounds in _PHASE.items()
  },
  'train.milestones': Range(0, 1, low_open=True, high_open=True),
  'train.decay_factor': _SHARE,
  'train.momentum': _BELOW_ONE,
  'train.clip_norm': _NOT_NEGATIVE,
  'train.ema_decay': _BELOW_ONE,
  'train.accumulate_steps': _COUNT,
  'train.batch_norm_groups': _COUNT,
  'train.resize': _PIXELS,
  'train.mixup': _NOT_NEGATIVE,
  'train.log_every_steps': _COUNT,
  'train.checkpoint_every_steps': _COUNT,
  'simclr.temperature': _POSITIVE,
  'simclr.hidden_size': _COUNT,
  'simclr.projection_size': _COUNT,
  'image_text.temperature': _POSITIVE,
  'image_text.context_length': _COUNT,
  'image_text.hidden_size': _COUNT,
  'image_text.depth': _COUNT,
  'image_text.num_heads': _COUNT,
  'mpl.unlabelled_ratio': _COUNT,
  'mpl.step_size': _NOT_NEGATIVE,
  'mpl.consistency': _NOT_NEGATIVE,
  'mpl.temperature': _POSITIVE,
  'distill.weight': _SHARE,
  'distill.temperature': _POSITIVE,
  'head.max_examples': _MAY_BE_NONE,
  'head.strengths': _POSITIVE,
  'head.max_iterations': _COUNT,
}
# Lists of numbers that may be empty.
_MAY_BE_EMPTY = ('train.milestones',)


def check_ranges(
  at: str, flat: Mapping[str, Any], ranges: Mapping[str, Range]
) -> None:
  """Checks the numbers among some fields.

  Args:
    at: path of the fields in error messages, such as 'config'.
    flat: values, or lists of values, by the fields' dotted paths, of the right
      types.
    ranges: ranges by dotted path; paths that are not in `flat` are ignored.

  Raises:
    UsageError: a number is outside its range or not finite, or a list is
      empty.
  """
  for field, bounds in ranges.items():
    value = flat.get(field)
    if isinstance(value, list):
      if not value and field not in _MAY_BE_EMPTY:
        raise errors.UsageError(
          f'{at}.{field} must hold numbers {bounds}, got none.'
        )
      _check_list(f'{at}.{field}', value, bounds)
    elif value is not None and not bounds.holds(value):
      raise errors.UsageError(f'{at}.{field} must be {bounds}, got {value}.')


def _check_list(at: str, values: Sequence[Any], bounds: Range) -> None:
  for value in values:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not (number and bounds.holds(value)):
      raise errors.UsageError(
        f'{at} must hold numbers {bounds}, got {value!r} among {tuple(values)}.'
      )


def check_finite(at: str, flat: Mapping[str, Any]) -> None:
  """Raises UsageError if a field is not finite, which JSON can't represent."""
  for field, value in flat.items():
    for one in value if isinstance(value, list) else [value]:
      if isinstance(one, float) and not math.isfinite(one):
        raise errors.UsageError(f'{at}.{field} must be finite, got {value}.')

"""Learning-rate schedules."""

import optax

from overlap.core import errors, lookup

SCHEDULES = ('cosine', 'step', 'linear', 'constant')


def build(
  name: str,
  *,
  learning_rate: float,
  warmup_steps: int,
  total_steps: int,
  milestones: tuple[float, ...] = (),
  decay_factor: float = 0.1,
) -> optax.Schedule:
  """Builds a schedule that begins with a linear warm-up from 0.

  Args:
    name: 'cosine' or 'linear' (which reach 0 at the last step), 'step' or
      'constant'.
    learning_rate: learning rate at the end of the warm-up.
    warmup_steps: number of steps of linear growth.
    total_steps: number of steps of the schedule, including the warm-up.
    milestones: milestones of 'step', as increasing fractions of `total_steps`.
    decay_factor: factor at each milestone.

  Raises:
    UsageError: the name is unknown, the schedule ends before the warm-up, or
      milestones are out of order or given for another schedule.
  """
  lookup.check_choice('schedule', name, SCHEDULES)
  if not 0 <= warmup_steps < total_steps:
    raise errors.UsageError(
      'warmup_steps must be at least 0 and below total_steps, got '
      f'warmup_steps={warmup_steps} and total_steps={total_steps}.'
    )
  check_milestones(name, milestones)
  if name == 'cosine':
    return optax.warmup_cosine_decay_schedule(
      init_value=0.0 if warmup_steps else learning_rate,
      peak_value=learning_rate,
      warmup_steps=warmup_steps,
      decay_steps=total_steps,
    )
  if name == 'step':
    # The rate is already lower at the milestone itself; optax's boundaries
    # count from the end of the warm-up.
    places = [round(share * total_steps) - warmup_steps for share in milestones]
    rest = optax.piecewise_constant_schedule(
      learning_rate, _merged(places, decay_factor)
    )
  elif name == 'linear':
    rest = optax.linear_schedule(learning_rate, 0.0, total_steps - warmup_steps)
  else:
    rest = optax.constant_schedule(learning_rate)
  if not warmup_steps:
    return rest
  warmup = optax.linear_schedule(0.0, learning_rate, warmup_steps)
  return optax.join_schedules([warmup, rest], [warmup_steps])


def _merged(places: list[int], factor: float) -> dict[int, float]:
  """Merges milestones at the same step into one factor."""
  merged: dict[int, float] = {}
  for place in places:
    merged[place] = merged.get(place, 1.0) * factor
  return merged


def check_milestones(name: str, milestones: tuple[float, ...]) -> None:
  if (name == 'step') != bool(milestones):
    raise errors.UsageError(
      "Milestones must be given for schedule='step' and for no other, got "
      f'{milestones} for {name!r}.'
    )
  if any(not 0 < share < 1 for share in milestones) or (
    list(milestones) != sorted(milestones)
  ):
    raise errors.UsageError(
      'Milestones must be shares of total_steps in (0, 1), rising, got '
      f'{milestones}.'
    )

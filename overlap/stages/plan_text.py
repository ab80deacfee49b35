"""Formats a plan for a terminal."""

import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from overlap.core import wording
from overlap.stages.plan import Plan, Row
from overlap.study import costs

_HEADER = (
  'model', 'does', 'parameters', 'steps', 'images', 'training', 'prediction',
  'arrays', 'predicts',
)  # fmt: skip
_ABSENT = '-'
_UNKNOWN = 'unknown'
_WIDTH = 80


def text(plan: Plan, *, name: str, workdir: str) -> str:
  """Formats the whole plan.

  Args:
    plan: plan from `plan.make_plan`.
    name: name of the study.
    workdir: path of the workdir.
  """
  lines = [f'dry run of {name} in {workdir}: nothing is made or written']
  lines += [
    f'data: {dataset}{f" ({note})" if note else ""}'
    for dataset, note in plan.data.items()
  ]
  if plan.sizes:
    lines += _wrapped(f'predicted: {", ".join(_sizes(plan))}')
  if plan.rows:
    cells = [_cells(row, plan) for row in plan.rows]
    lines += ['', *_aligned([_HEADER, *cells])]
  lines.append('')
  for line in (*_products(plan), *_totals(plan.rows)):
    lines += _wrapped(line)
  return '\n'.join(lines)


def _wrapped(line: str) -> list[str]:
  return textwrap.wrap(line, _WIDTH, subsequent_indent='  ')


def _size(num_bytes: int) -> str:
  if num_bytes < 2**20:
    return f'{num_bytes / 2**10:.0f} KiB'
  return wording.size(num_bytes)


def _sizes(plan: Plan) -> list[str]:
  return [
    f'{split} ({_UNKNOWN if size is None else wording.count(size)})'
    for split, size in plan.sizes.items()
  ]


def _cells(row: Row, plan: Plan) -> tuple[str, ...]:
  unknown = _UNKNOWN if _is_unknown(row) else _ABSENT
  cells = [row.name, row.does]
  cells.append(
    wording.count(row.measured.parameters) if row.measured else unknown
  )
  if row.trained:
    steps, images = row.trained.steps, row.trained.images
    cells += [wording.count(n) if n else _ABSENT for n in (steps, images)]
    cells.append(_amount(row.trained.flops, wording.flops))
  else:
    cells += [_UNKNOWN if _is_unknown_training(row) else _ABSENT] * 3
  cells.append(_amount(row.predict_flops, wording.flops))
  cells.append(_amount(row.stored_bytes, _size))
  everything = len(row.splits) == len(plan.sizes) > 1
  splits = f'all {len(row.splits)}' if everything else ', '.join(row.splits)
  return (*cells, splits or _ABSENT)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
  """Aligns columns: words to the left, numbers to the right."""
  widths = [max(map(len, column)) for column in zip(*rows)]
  last = len(widths) - 1
  return [
    '  '.join(
      cell.ljust(width) if i in (0, 1, last) else cell.rjust(width)
      for i, (cell, width) in enumerate(zip(row, widths))
    ).rstrip()
    for row in rows
  ]


def _products(plan: Plan) -> list[str]:
  lines = []
  if plan.tables is not None:
    made = ', '.join(plan.tables) or 'all there, and unchanged'
    lines.append(f'tables: {made}')
  if plan.drawn is not None:
    drawn = ', '.join(plan.drawn) or 'all there, and so is the report'
    lines.append(f'figures: {drawn}')
  return lines


def _totals(rows: Sequence[Row]) -> list[str]:
  made = [row for row in rows if row.does not in ('there', 'to be brought')]
  trained = [
    row.trained for row in rows if row.trained or _is_unknown_training(row)
  ]

  def count(numbers: list[int | None], word: str) -> str:
    return _total(numbers, lambda number: _counted(number, word), word)

  lines = [
    f'in all: {len(made)} of {wording.counted(len(rows), "model")} made, '
    f'{count([t and t.steps for t in trained], "step")}, '
    f'{count([t and t.images for t in trained], "image")}, '
    f'training {_total([t and t.flops for t in trained], wording.flops)}, '
    f'prediction {_total([row.predict_flops for row in rows], wording.flops)}',
    f'on disk: weights {_total([row.kept_bytes for row in rows], _size)}, '
    'logits and features '
    f'{_total([row.stored_bytes for row in rows], _size)}',
  ]
  if any(trained):
    lines.append(
      f'Training is counted as {costs.TRAINING_PASSES} forward passes for each '
      'image that a model is shown, and one for those that are held out, or '
      'that a head is fitted on; augmentation, teachers, text towers and '
      'probes are not counted.'
    )
  return lines


def _amount(value: float | None, describe: Callable[[Any], str]) -> str:
  """Formats one cell: a positive number in words, 'unknown' or '-'."""
  if value is None:
    return _UNKNOWN
  return describe(value) if value else _ABSENT


def _total(
  values: Sequence[float | None], describe: Callable[[Any], str], word: str = ''
) -> str:
  """Formats a sum: 'at least' if some values are unknown, 'unknown' if all."""
  total = sum(value for value in values if value is not None)
  if None not in values:
    return describe(total)
  if total:
    return f'at least {describe(total)}'
  return f'{_UNKNOWN} {wording.noun(2, word)}'.rstrip()


def _counted(number: int, word: str) -> str:
  return f'{wording.count(number)} {wording.noun(number, word)}'


def _is_unknown(row: Row) -> bool:
  return row.measured is None and row.predict_flops is None


def _is_unknown_training(row: Row) -> bool:
  return row.does in ('train', 'train on', 'load') and row.trained is None

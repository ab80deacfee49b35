"""A plan in words, for a terminal."""

import textwrap
from collections.abc import Sequence

from overlap import plurals
from overlap.figures import wording
from overlap.study import costs
from overlap.study.plan import Plan, Row

_HEADER = (
  'model', 'does', 'parameters', 'steps', 'images', 'training', 'prediction',
  'arrays', 'predicts',
)  # fmt: skip
_ABSENT = '-'
_WIDTH = 80


def text(plan: Plan, *, name: str, workdir: str) -> str:
  """The whole plan, a line each.

  Args:
    plan: from `plan.make`.
    name: of the study.
    workdir: where it would be.
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
    f'{split} ({_ABSENT if size is None else wording.count(size)})'
    for split, size in plan.sizes.items()
  ]


def _cells(row: Row, plan: Plan) -> tuple[str, ...]:
  cells = [row.name, row.does]
  cells.append(
    wording.count(row.measured.parameters) if row.measured else _ABSENT
  )
  if row.trained:
    steps, images = row.trained.steps, row.trained.images
    cells += [wording.count(n) if n else _ABSENT for n in (steps, images)]
    cells.append(wording.flops(row.trained.flops))
  else:
    cells += [_ABSENT] * 3
  cells.append(
    wording.flops(row.predict_flops) if row.predict_flops else _ABSENT
  )
  cells.append(_size(row.stored_bytes) if row.stored_bytes else _ABSENT)
  everything = len(row.splits) == len(plan.sizes) > 1
  splits = f'all {len(row.splits)}' if everything else ', '.join(row.splits)
  return (*cells, splits or _ABSENT)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
  """Columns side by side: words to the left, numbers to the right."""
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
  trained = [row.trained for row in rows if row.trained]
  made = [row for row in rows if row.does not in ('there', 'to be brought')]
  lines = [
    f'in all: {len(made)} of {plurals.counted(len(rows), "model")} made, '
    f'{_counted(sum(t.steps for t in trained), "step")}, '
    f'{_counted(sum(t.images for t in trained), "image")}, '
    f'training {wording.flops(sum(t.flops for t in trained))}, '
    f'prediction {wording.flops(sum(row.predict_flops for row in rows))}',
    f'on disk: weights {_size(sum(row.kept_bytes for row in rows))}, '
    f'logits and features {_size(sum(row.stored_bytes for row in rows))}',
  ]
  if trained:
    lines.append(
      f'Training is counted as {costs.TRAINING_PASSES} forward passes for each '
      'image that a model is shown, and one for those that are held out, or '
      'that a head is fitted on; augmentation, teachers, text towers and '
      'probes are not counted.'
    )
  if any(_unknown(row) for row in rows):
    lines.append(
      'What depends on data that are not here is left out of all sums.'
    )
  return lines


def _counted(number: int, word: str) -> str:
  return f'{wording.count(number)} {plurals.noun(number, word)}'


def _unknown(row: Row) -> bool:
  return row.does in ('train', 'train on', 'load') and row.trained is None

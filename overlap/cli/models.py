"""Lists the paper's models and what each of them needs here."""

from __future__ import annotations

import typing
from collections.abc import Sequence

from absl import flags

from overlap.core import wording

if typing.TYPE_CHECKING:
  from overlap.catalog.models import PaperModel


def define(values: flags.FlagValues, argv: list[str]) -> None:
  """Defines the command's flags."""
  del argv
  flags.DEFINE_string(
    'category', '', 'list one category alone: REINIT, HPARAM, ...; BASE is '
    'the base itself',
    flag_values=values,
  )  # fmt: skip
  flags.DEFINE_string(
    'base', '', "the model that categories are relative to; the paper's, "
    'ResNet-50 (base), if empty',
    flag_values=values,
  )  # fmt: skip


def run(values: flags.FlagValues) -> None:
  """Prints the table."""
  print(render(values['category'].value or '', values['base'].value or ''))


_HEADER = (
  'model', 'category', 'method', 'head', 'parameters', 'input', 'accuracy',
  'temperature', 'error inconsistency', 'ensemble', 'way', 'needs',
)  # fmt: skip
_FIGURES = range(4, 10)


def render(category: str = '', base: str = '') -> str:
  """The table as text, one line a model and a count below.

  Accuracy, temperature, error inconsistency and the ensemble's accuracy are
  the paper's, the last two with its base.

  Args:
    category: one of the paper's, 'BASE', or '' for all.
    base: the name of the model to which categories are relative; the paper's
      base if empty.

  Raises:
    UsageError: no such category or model.
  """
  # Not at the top: pandas takes its time, and `overlap --help` need not wait.
  from overlap.catalog import categories, models
  from overlap.core import lookup

  if category:
    choices = (categories.BASE, *categories.CATEGORIES)
    lookup.check_choice('category', category, choices)
  reference = models.get(base or models.BASE_NAME)
  placed = [(models.category(m, reference), m) for m in models.models()]
  chosen = [(place, m) for place, m in placed if category in ('', place)]
  rows = [_HEADER] + [_row(place, m) for place, m in chosen]
  counts = [(way, sum(m.way == way for _, m in chosen)) for way in models.WAYS]
  shown = ', '.join(f'{count} to {way}' for way, count in counts if count)
  number = wording.counted(len(chosen), 'model')
  return '\n'.join([*_align(rows), '', f'{number}: {shown}'])


def _row(category: str, m: PaperModel) -> tuple[str, ...]:
  return (
    m.name, category, m.method, m.head,
    f'{m.parameters / 1e6:.1f} M' if m.parameters else '',
    f'{m.image_size} px' if m.image_size else '',
    _figure(m.accuracy, '.2%'), _figure(m.temperature, '.2f'),
    _figure(m.error_inconsistency, '.4f'), _figure(m.ensemble_accuracy, '.2%'),
    m.way, m.needs,
  )  # fmt: skip


def _figure(value: float | None, form: str) -> str:
  return '' if value is None else format(value, form)


def _align(rows: Sequence[tuple[str, ...]]) -> list[str]:
  """Columns of equal width, figures to the right."""
  widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
  lines = []
  for row in rows:
    cells = [
      cell.rjust(width) if place in _FIGURES else cell.ljust(width)
      for place, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    lines.append('  '.join(cells).rstrip())
  return lines

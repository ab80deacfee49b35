"""Lists the paper's models and what each of them needs here."""

from collections.abc import Sequence

from absl import flags


def define(values: flags.FlagValues, argv: list[str]) -> None:
  """Defines the command's flags."""
  del argv
  flags.DEFINE_string(
    'category', '', 'list one category alone: REINIT, HPARAM, ...; BASE is '
    'the base itself',
    flag_values=values,
  )  # fmt: skip


def run(values: flags.FlagValues) -> None:
  """Prints the table."""
  print(render(values['category'].value or ''))


def render(category: str = '') -> str:
  """The table as text, one line a model and a count below.

  Args:
    category: one of the paper's, 'BASE', or '' for all.

  Raises:
    UsageError: no such category.
  """
  # Not at the top: pandas takes its time, and `overlap --help` need not wait.
  from overlap import lookup
  from overlap.catalog import categories, models

  if category:
    choices = (categories.BASE, *categories.CATEGORIES)
    lookup.check('category', category, choices)
  chosen = [m for m in models.models() if category in ('', m.category)]
  rows = [
    ('model', 'category', 'method', 'head', 'accuracy', 'error inconsistency',
     'way', 'needs'),
  ]  # fmt: skip
  for m in chosen:
    inconsistency = m.error_inconsistency
    rows.append(
      (
        m.name, m.category, m.method, m.head, f'{m.accuracy:.2%}',
        '' if inconsistency is None else f'{inconsistency:.4f}',
        m.way, m.needs,
      )
    )  # fmt: skip
  counts = [(way, sum(m.way == way for m in chosen)) for way in models.WAYS]
  shown = ', '.join(f'{count} to {way}' for way, count in counts if count)
  return '\n'.join([*_align(rows), '', f'{len(chosen)} models: {shown}'])


def _align(rows: Sequence[tuple[str, ...]]) -> list[str]:
  """Columns of equal width, figures to the right."""
  widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
  lines = []
  for row in rows:
    cells = [
      cell.rjust(width) if place in (4, 5) else cell.ljust(width)
      for place, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    lines.append('  '.join(cells).rstrip())
  return lines

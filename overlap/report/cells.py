"""Columns of the page's tables: headings and formatting of cells."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from overlap.core import wording
from overlap.figures import style

_NOTHING = (wording.MISSING, style.UNKNOWN)


class Column(NamedTuple):
  """Column of a table.

  Attributes:
    heading: heading of the column.
    hint: explanation of the heading, or ''.
    cell: function from a row to the text of its cell.
    numeric: whether the column holds numbers.
  """

  heading: str
  hint: str
  cell: Callable[[Mapping[str, Any]], str]
  numeric: bool = True


class Table(NamedTuple):
  """Table of the page as plain text, which the template escapes."""

  name: str
  caption: str
  columns: Sequence[Column]
  rows: list[list[str]]
  total: int

  @property
  def first_number(self) -> int:
    """Returns the one-based position of the first numeric column."""
    return 1 + next(
      i for i, column in enumerate(self.columns) if column.numeric
    )


def table(
  name: str,
  caption: str,
  columns: Sequence[Column],
  rows: Sequence[Mapping[str, Any]],
  total: int,
) -> Table:
  """Returns a table with its cells as text.

  Args:
    name: name of the table on the page.
    caption: caption of the table.
    columns: columns of the table; columns without any value are left out.
    rows: rows to show, as mappings from field to value.
    total: total number of rows, including those not shown.
  """
  texts = [[column.cell(row) for column in columns] for row in rows]
  # Leave out empty columns, such as temperatures of models without logits.
  shown = [
    i
    for i in range(len(columns))
    if not texts or any(text[i] not in _NOTHING for text in texts)
  ]
  columns = [columns[i] for i in shown]
  texts = [[text[i] for i in shown] for text in texts]
  return Table(name, caption, columns, texts, total)


def category() -> Column:
  """Returns a text column of the row's category."""
  return Column(
    'Category',
    '',
    lambda row: style.category_name(row['category']),
    numeric=False,
  )


def percent(heading: str, field: str, hint: str = '') -> Column:
  """Returns a column of fractions in per cent, with intervals if known."""
  return Column(
    heading,
    hint,
    lambda row: wording.percent(row.get(field), *_bounds(row, field)),
  )


def points(heading: str, field: str, hint: str = '') -> Column:
  """Returns a column of differences in percentage points, with intervals."""
  return Column(
    heading,
    hint,
    lambda row: wording.points(row.get(field), *_bounds(row, field)),
  )


def number(heading: str, field: str, digits: int, hint: str = '') -> Column:
  """Returns a column of decimal numbers, with intervals if known."""
  return Column(
    heading,
    hint,
    lambda row: wording.decimal(
      row.get(field), *_bounds(row, field), digits=digits
    ),
  )


def count(heading: str, field: str, hint: str = '') -> Column:
  """Returns a column of whole numbers."""
  return Column(heading, hint, lambda row: wording.count(row.get(field)))


def _bounds(row: Mapping[str, Any], field: str) -> tuple[Any, Any]:
  return row.get(f'{field}_lower'), row.get(f'{field}_upper')

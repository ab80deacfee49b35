"""Columns of the page's tables: a heading, and how a cell becomes text."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from overlap.figures import style, wording

_NOTHING = (wording.MISSING, style.UNKNOWN)


class Column(NamedTuple):
  """A heading, what it means, and how a cell is written."""

  heading: str
  hint: str
  cell: Callable[[Mapping[str, Any]], str]
  numeric: bool = True


class Table(NamedTuple):
  """Table of the page: texts only, to be escaped by the template."""

  name: str
  caption: str
  columns: Sequence[Column]
  rows: list[list[str]]
  total: int

  @property
  def first_number(self) -> int:
    """Returns the first column of numbers, counted from one."""
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
  """The texts of a table.

  Args:
    name: name of the table on the page.
    caption: caption of the table.
    columns: those in which no row has anything are left out.
    rows: what the columns read.
    total: total number of rows, of which these are the first.
  """
  texts = [[column.cell(row) for column in columns] for row in rows]
  # What no row has (temperatures of models without logits, categories of
  # models that nobody put into any) only takes room.
  shown = [
    i
    for i in range(len(columns))
    if not texts or any(text[i] not in _NOTHING for text in texts)
  ]
  columns = [columns[i] for i in shown]
  texts = [[text[i] for i in shown] for text in texts]
  return Table(name, caption, columns, texts, total)


def category() -> Column:
  """The category of a row, a text."""
  return Column(
    'Category',
    '',
    lambda row: style.category_name(row['category']),
    numeric=False,
  )


def percent(heading: str, field: str, hint: str = '') -> Column:
  """A fraction as per cent, with the interval that the row may have."""
  return Column(
    heading,
    hint,
    lambda row: wording.percent(row.get(field), *_bounds(row, field)),
  )


def points(heading: str, field: str, hint: str = '') -> Column:
  """A difference of fractions in percentage points, with its interval."""
  return Column(
    heading,
    hint,
    lambda row: wording.points(row.get(field), *_bounds(row, field)),
  )


def number(heading: str, field: str, digits: int, hint: str = '') -> Column:
  """A plain number with its interval."""
  return Column(
    heading,
    hint,
    lambda row: wording.decimal(
      row.get(field), *_bounds(row, field), digits=digits
    ),
  )


def count(heading: str, field: str, hint: str = '') -> Column:
  """A whole number."""
  return Column(heading, hint, lambda row: wording.count(row.get(field)))


def _bounds(row: Mapping[str, Any], field: str) -> tuple[Any, Any]:
  return row.get(f'{field}_lower'), row.get(f'{field}_upper')

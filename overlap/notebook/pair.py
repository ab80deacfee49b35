"""Pair of models of a study, with its measurements."""

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from overlap.core import errors, lookup
from overlap.notebook import html, names
from overlap.report import closeups, rows
from overlap.report import sentences as say

_KEYS = ['model_1', 'model_2']
# Tables of facts besides `pairs`, whose values do not depend on the order of
# the two models.
_FURTHER = ('similarity', 'specialisation')


class Pair:
  """Pair of models; every column of `pairs` is an attribute: `pair.gain`.

  Model 1 is the first argument, whatever the order in the tables.

  Attributes:
    numbers: columns of `pairs`, fractions and counts, with intervals.
    counts: numbers of examples `[2, 2]`: rows by model 1, columns by model 2,
      each right and wrong.
  """

  def __init__(
    self, tables: Mapping[str, pd.DataFrame], model_1: str, model_2: str
  ):
    found = turned(tables['pairs'], model_1, model_2)
    if found.empty:
      raise errors.DataError(
        f'The table pairs must have the pair of {model_1!r} and {model_2!r}, '
        f'got {len(tables["pairs"])} pairs without it: the study compared '
        'others (config.analyses.pairs).'
      )
    self._tables = {'models': tables['models'], 'pairs': found}
    for name in _FURTHER:
      if name in tables:
        self._tables[name] = turned(tables[name], model_1, model_2)
    self._all = tables
    self.numbers = found.iloc[0]
    cells = self.numbers[['both_correct', 'only_1', 'only_2', 'neither']]
    self.counts = pd.DataFrame(
      cells.to_numpy(int).reshape(2, 2),
      index=pd.Index(['right', 'wrong'], name=model_1),
      columns=pd.Index(['right', 'wrong'], name=model_2),
    )

  def __getattr__(self, name: str) -> Any:
    held = vars(self).get('numbers', {})
    return held[names.check_attribute('number of a pair', name, held.keys())]

  def __dir__(self) -> list[str]:
    return sorted({*super().__dir__(), *self.numbers.index})

  def table(self, name: str) -> pd.DataFrame:
    """Returns the rows of another table about this pair, in their order.

    Args:
      name: name of a table with one or more rows per pair: 'classes', 'theta',
        ...

    Raises:
      UsageError: the table is unknown.
    """
    having = [key for key, t in self._all.items() if {*_KEYS} <= {*t.columns}]
    table = self._all[lookup.check_choice('table of pairs', name, having)]
    return table[_is_of(table, self.model_1, self.model_2)]

  def __repr__(self) -> str:
    n = self.numbers
    return (
      f'Pair of {n["model_1"]!r} and {n["model_2"]!r}: error inconsistency'
      f' {n["error_inconsistency"]:.4f}, gain {n["gain"]:+.4f}, {n["n"]}'
      ' examples'
    )

  def _repr_html_(self) -> str:
    table = rows.pairs_table(self._tables)
    texts = dict(zip([c.heading for c in table.columns], table.rows[0]))
    facts = [
      (column.heading, texts[column.heading], column.hint)
      for column in table.columns
      if column.heading not in _ABOVE
    ]
    more = closeups.closeups(self._tables, self._tables['pairs'])['facts']
    facts += zip(more['headings'], more['rows'][0], more['hints'])
    return html.pair(
      names=(self.model_1, self.model_2),
      category=texts.get('Category', ''),
      counts=self.counts.to_numpy().tolist(),
      facts=[
        (self._named(heading), value, self._named(hint))
        for heading, value, hint in facts
      ],
    )

  def _named(self, text: str) -> str:
    """Replaces 'model 1' and 'model 2' in a text by the models' names."""
    called = {'1': self.model_1, '2': self.model_2}
    return re.sub(
      r'\bmodel ([12])\b', lambda found: say.quote(called[found[1]]), text
    )


# Headings left out of the facts, since the title and joint table show them.
_ABOVE = (
  'Model 1', 'Model 2', 'Category', 'Both', 'Only 1', 'Only 2', 'Neither',
)  # fmt: skip


def turned(table: pd.DataFrame, model_1: str, model_2: str) -> pd.DataFrame:
  """Returns the rows of two models, with `model_1` as model 1.

  If the table has the models in the other order, columns that end in `_1` and
  `_2` are swapped.
  """
  found = table[_is_of(table, model_1, model_2)].reset_index(drop=True)
  if not len(found) or found.at[0, 'model_1'] == model_1:
    return found
  swapped = {
    column: column[:-1] + ('2' if column.endswith('1') else '1')
    for column in table.columns
    if re.search('_[12]$', column)
  }
  return found.rename(columns=swapped)[list(table.columns)]


def _is_of(table: pd.DataFrame, model_1: str, model_2: str) -> pd.Series:
  one, two = table['model_1'], table['model_2']
  return ((one == model_1) & (two == model_2)) | (
    (one == model_2) & (two == model_1)
  )

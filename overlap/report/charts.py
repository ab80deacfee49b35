"""The figures as the page needs them: bare specs, and a config a theme."""

import functools
from collections.abc import Iterable
from typing import Any, NamedTuple

import pandas as pd
import vl_convert
from absl import logging

from overlap import figures
from overlap.figures import frames, style

# The models are on the page as one table that can be sorted, the heat map as
# one that can be picked from.
_NOT_CHARTS = ('table1', 'table2', 'table3', 'table4', 'heatmap')


class Chart(NamedTuple):
  """A figure on the page; title and notes are text, `spec` is Vega-Lite.

  `data` are the rows drawn, `{'fields': [...], 'rows': [[...], ...]}`; the
  page puts them into the spec. Vega's own reader of CSV text would compile
  code, which the page's policy forbids.
  """

  name: str
  title: str
  notes: list[str]
  spec: dict[str, Any]
  data: dict[str, Any]


def charts(
  tables: frames.Tables, names: Iterable[str] | None = None
) -> list[Chart]:
  """Draws the figures that the page shows; those without data are left out.

  Args:
    tables: tables from `figures.load`.
    names: keys of `figures.FIGURES`; all by default.

  Raises:
    UsageError: no such figure.
  """
  drawn = []
  for name in figures.FIGURES if names is None else names:
    if name in _NOT_CHARTS:
      continue
    try:
      chart, rows = figures.plot(name, tables)
    except figures.NotDrawableError as e:
      # Whoever draws the files beside the page has been warned.
      logging.debug('No %s on the page: %s', name, e)
      continue
    drawn.append(_bare(name, chart.to_dict(), rows))
  return drawn


def configs() -> dict[str, dict[str, Any]]:
  """The Vega-Lite config of each theme, on the page's own background."""
  own = {'background': 'transparent', 'font': 'system-ui, sans-serif'}
  themes = {}
  for theme in ('light', 'dark'):
    themes[theme] = style.config(theme) | own
  return themes


def legend(tables: frames.Tables) -> list[tuple[str, int]]:
  """The categories of the models, with the place of each one's colour."""
  found = style.present(tables['models']['category'].map(style.category_name))
  return [(name, style.ORDER.index(name)) for name in found]


def colours() -> str:
  """Style sheet: the colour of each category, by its place, and its theme."""
  light, dark = (
    ''.join(
      f'.swatch.c{place}{{background:{colour}}}'
      for place, colour in enumerate(style.COLOURS[theme])
    )
    for theme in ('light', 'dark')
  )
  return f'{light}@media(prefers-color-scheme:dark){{{dark}}}'


@functools.lru_cache(maxsize=1)
def javascript() -> str:
  """Vega, Vega-Lite and vega-embed as one script, 0.9 MB."""
  return vl_convert.javascript_bundle(vl_version=figures.vegalite_version())


def _bare(name: str, spec: dict[str, Any], drawn: pd.DataFrame) -> Chart:
  # Titles become text of the page, which wraps; the config depends on the
  # reader's theme; the schema's address is of no use to the page.
  title = spec.pop('title', {})
  for key in ('config', '$schema', 'data', 'datasets'):
    spec.pop(key, None)
  notes = title.get('subtitle', [])
  notes = [notes] if isinstance(notes, str) else list(notes)
  rows = drawn.astype(object).where(drawn.notna(), None).values.tolist()
  return Chart(
    name=name,
    title=title.get('text', name),
    notes=notes,
    spec=spec,
    data={'fields': list(drawn.columns), 'rows': rows},
  )

"""Figures for the page: Vega-Lite specs without data, and theme configs."""

import functools
from collections.abc import Iterable
from typing import Any, NamedTuple

import pandas as pd
import vl_convert
from absl import logging

from overlap import figures
from overlap.figures import frames, style

# The page has its own sortable table of models and interactive heat map.
_NOT_CHARTS = ('table1', 'table2', 'table3', 'table4', 'heatmap')


class Chart(NamedTuple):
  """Figure on the page.

  Attributes:
    name: key of `overlap.figures.FIGURES`.
    title: title, plain text.
    notes: lines of the subtitle, plain text.
    spec: Vega-Lite spec without data, title and config.
    data: rows to draw, `{'fields': [...], 'rows': [[...], ...]}`. The page
      inserts them into the spec, since Vega's CSV reader compiles code, which
      the page's policy forbids.
  """

  name: str
  title: str
  notes: list[str]
  spec: dict[str, Any]
  data: dict[str, Any]


def charts(
  tables: frames.Tables, names: Iterable[str] | None = None
) -> list[Chart]:
  """Draws the figures of the page, leaving out those without data.

  Args:
    tables: tables from `figures.load`.
    names: keys of `figures.FIGURES`; all by default.

  Raises:
    UsageError: a figure is unknown.
  """
  drawn = []
  for name in figures.FIGURES if names is None else names:
    if name in _NOT_CHARTS:
      continue
    try:
      chart, rows = figures.plot(name, tables)
    except figures.NotDrawableError as e:
      # Not a warning: drawing the figure files already warns.
      logging.debug('No %s on the page: %s', name, e)
      continue
    drawn.append(_bare(name, chart.to_dict(), rows))
  return drawn


def configs() -> dict[str, dict[str, Any]]:
  """Returns the Vega-Lite config of each theme, with a clear background."""
  own = {'background': 'transparent', 'font': 'system-ui, sans-serif'}
  themes = {}
  for theme in ('light', 'dark'):
    themes[theme] = style.config(theme) | own
  return themes


def legend(tables: frames.Tables) -> list[tuple[str, int]]:
  """Returns the categories of the models and the indices of their colours."""
  found = style.present(tables['models']['category'].map(style.category_name))
  return [(name, style.ORDER.index(name)) for name in found]


def colours() -> str:
  """Returns a style sheet with the colour of each category in both themes."""
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
  """Returns Vega, Vega-Lite and vega-embed as one script of 0.9 MB."""
  return vl_convert.javascript_bundle(vl_version=figures.vegalite_version())


def _bare(name: str, spec: dict[str, Any], drawn: pd.DataFrame) -> Chart:
  # The page shows the title as text, which wraps; the config depends on the
  # reader's theme; the page does not use the schema's address.
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

"""Figures and tables for readers, drawn from the study's CSV tables alone.

`FIGURES` maps names to plot functions, `plot(tables) -> (chart, rows drawn)`;
in a notebook, `overlap.load_study(workdir).figure('fig02')` shows a figure.
"""

import itertools
import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

import altair as alt
import pandas as pd
import vl_convert
from absl import logging
from etils import epath

from overlap.core import checksums, files, lookup, progress, replaced
from overlap.figures import frames
from overlap.tables import schemas, table_io

FIGURES = {
  'fig01': 'overlap.figures.fig01:plot',
  'fig02': 'overlap.figures.fig02:plot',
  'fig03': 'overlap.figures.fig03:plot',
  'fig04': 'overlap.figures.fig04:plot',
  'fig05': 'overlap.figures.fig05:plot',
  'fig06': 'overlap.figures.fig06:plot',
  'fig07': 'overlap.figures.fig07:plot',
  'fig08': 'overlap.figures.fig08:plot',
  'fig09': 'overlap.figures.fig09:plot',
  'fig10': 'overlap.figures.fig10:plot',
  'fig11': 'overlap.figures.fig11:plot',
  'fig12': 'overlap.figures.fig12:plot',
  'fig13': 'overlap.figures.fig13:plot',
  'table1': 'overlap.figures.table1:plot',
  'table2': 'overlap.figures.table2:plot',
  'table3': 'overlap.figures.table3:plot',
  'table4': 'overlap.figures.table4:plot',
  'heatmap': 'overlap.figures.heatmap:plot',
}
NotDrawableError = frames.NotDrawableError

_REQUIRED = ('models', 'pairs')
_PNG_SCALE = 2.0
_EXTENSIONS = ('svg', 'png', 'csv')


def load(workdir: epath.PathLike) -> dict[str, pd.DataFrame]:
  """Reads the tables for the figures and the report.

  All tables come from the same analysis, even if another analysis replaces
  them during the reading.

  Raises:
    DataError: `models`, `pairs` or another table that the analysis wrote is
      absent, or a table was changed since.
  """
  return replaced.read_unreplaced(
    lambda: _load(workdir),
    lambda: table_io.stamp(workdir),
    f'The tables of {workdir}',
  )


def _load(workdir: epath.PathLike) -> dict[str, pd.DataFrame]:
  written = table_io.read_checksums(workdir)
  loaded = {}
  for name in [*_REQUIRED, *sorted(schemas.SCHEMAS.keys() - {*_REQUIRED})]:
    file = f'{name}.csv'
    known = name in _REQUIRED or (written is not None and file in written)
    if known or (epath.Path(workdir) / 'tables' / file).exists():
      loaded[name] = table_io.read_table(workdir, name, written)
  return loaded


def plot(
  name: str, tables: Mapping[str, pd.DataFrame]
) -> tuple[Any, pd.DataFrame]:
  """Draws one figure.

  Args:
    name: a key of `FIGURES`.
    tables: tables from `load`.

  Returns:
    The Altair chart, and the rows drawn: fractions, not per cent.

  Raises:
    UsageError: the figure is unknown.
    NotDrawableError: the tables have no data for this figure.
  """
  return lookup.lookup('figure', name, FIGURES)(tables)


def save(
  workdir: epath.PathLike, names: Iterable[str] | None = None
) -> list[epath.Path]:
  """Writes `figures/<name>.svg`, `.png` and `.csv`.

  Figures without data are left out with a log message, and their older files
  are deleted, since these show other tables.

  Args:
    workdir: folder of the study.
    names: keys of `FIGURES`; all by default.

  Returns:
    The paths of the written files.

  Raises:
    UsageError: a figure is unknown.
    DataError: a table is absent, or a file can't be written.
  """
  names = list(FIGURES) if names is None else list(names)
  for name in names:
    lookup.check_choice('figure', name, FIGURES)
  tables = load(workdir)
  folder = epath.Path(workdir) / 'figures'
  written: list[epath.Path] = []
  left_out: dict[str, list[str]] = {}
  checksums.forget(folder, [f'{n}.{end}' for n in names for end in _EXTENSIONS])
  for name in progress.track(
    names, total=len(names), what='draw', unit='figure'
  ):
    try:
      chart, drawn = plot(name, tables)
    except NotDrawableError as e:
      left_out.setdefault(str(e), []).append(name)
      for extension in _EXTENSIONS:
        (folder / f'{name}.{extension}').unlink(missing_ok=True)
      continue
    written += _write(folder, name, chart, drawn)
  checksums.note(folder, written)
  for reason, figures in left_out.items():
    logging.info('No %s: %s', ', '.join(figures), reason)
  return written


def vegalite_version() -> str:
  """Returns the version of Vega-Lite of Altair's specs: '6.1'."""
  return '.'.join(alt.SCHEMA_VERSION.lstrip('v').split('.')[:2])


def _write(
  folder: epath.Path, name: str, chart: Any, drawn: pd.DataFrame
) -> list[epath.Path]:
  spec = _wrapped(chart.to_dict())
  version = vegalite_version()
  svg = _renumbered(vl_convert.vegalite_to_svg(spec, vl_version=version))
  contents = {
    'svg': svg.encode(),
    'png': vl_convert.vegalite_to_png(
      spec, vl_version=version, scale=_PNG_SCALE
    ),
    'csv': frames.to_csv(drawn).encode(),
  }
  paths = []
  for extension, content in contents.items():
    paths.append(folder / f'{name}.{extension}')
    files.write_bytes(paths[-1], content)
  return paths


def _wrapped(spec: dict[str, Any]) -> dict[str, Any]:
  """Wraps the subtitle at `usermeta.line` characters, if present.

  A reader's fonts may be wider than those of the layout, and text beyond the
  edge of a picture is cut off. Pages and notebooks do their own layout.
  """
  if width := spec.get('usermeta', {}).get('line'):
    lines = [textwrap.wrap(line, width) for line in spec['title']['subtitle']]
    spec['title']['subtitle'] = list(itertools.chain(*lines))
  return spec


def _renumbered(svg: str) -> str:
  """Renumbers the ids of clip paths and gradients from 0.

  Vega's counters run on over all charts of a process, so that the same figure
  would otherwise give different bytes the second time.
  """
  ids = re.findall(r'<(?:clipPath|linearGradient) id="([a-z]+_?)(\d+)"', svg)
  for i, (kind, number) in enumerate(ids):
    old, new = f'{kind}{number}', f'{kind.rstrip("_")}-{i}'
    svg = svg.replace(f' id="{old}"', f' id="{new}"')
    svg = svg.replace(f'="url(#{old})"', f'="url(#{new})"')
  return svg

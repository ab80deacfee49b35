"""The stage report, which needs the tables alone: figures, and the page."""

import functools
from collections.abc import Sequence

from absl import logging
from etils import epath

from overlap import figures, parallel, provenance, report, tables
from overlap.study import unchanged, workdir


def draw(path: epath.Path, names: Sequence[str] | None = None) -> list[str]:
  """Draws figures into `figures/`; returns the files.

  Args:
    path: the workdir.
    names: of figures; None for those of the study's config, or all.
  """
  return [
    str(file) for file in figures.save(path, names or _configured_figures(path))
  ]


def require_tables(path: epath.Path) -> None:
  """Raises DataError where there are no tables to draw from."""
  if not (path / 'tables' / 'models.csv').exists():
    tables.read(path, 'models')


def warn_if_stale(path: epath.Path) -> None:
  """Says so where the tables are older than the predictions."""
  if parallel.is_primary() and (line := unchanged.stale(path)):
    logging.warning('%s', line)


def write_report(path: epath.Path) -> epath.Path:
  """Draws the figures and writes the page; returns its path."""
  page = path / 'report' / 'index.html'
  with provenance.timed(
    functools.partial(workdir.add_timing, path, 'report', None)
  ):
    if parallel.is_primary():
      logging.info('drawing the figures and the page')
      draw(path)
      page = report.write(path, figures=_configured_figures(path))
  parallel.barrier('report')
  return epath.Path(page)


def _configured_figures(path: epath.Path) -> list[str] | None:
  if not (path / 'config.json').exists():
    return None
  return workdir.read_config(path)['report']['figures']

"""Stage report, which draws figures and report from the tables alone.

`report/done.json` has a fingerprint of their inputs (the tables, other facts on
the report, the source code) and the checksums of the written files.
"""

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from absl import logging
from etils import epath

from overlap import figures, report
from overlap.core import checksums, files, provenance
from overlap.distributed import processes
from overlap.tables import table_io
from overlap.workdir import fingerprints, layout


def draw(path: epath.Path, names: Sequence[str] | None = None) -> list[str]:
  """Draws figures into `figures/`; returns the files.

  Args:
    path: path of the workdir.
    names: names of figures; None for those of the study's config, or all.
  """
  return [
    str(file) for file in figures.save(path, names or _configured_figures(path))
  ]


def require_tables(path: epath.Path) -> None:
  """Raises DataError if there are no tables to draw from."""
  if not (path / 'tables' / 'models.csv').exists():
    table_io.read_table(path, 'models')


def warn_if_stale(path: epath.Path) -> None:
  """Logs a warning if the tables are older than the predictions."""
  if processes.is_primary() and (line := fingerprints.stale(path)):
    logging.warning('%s', line)


def write_report(path: epath.Path, *, again: bool = False) -> epath.Path:
  """Draws the figures and writes the report, unless they are up to date.

  Args:
    path: path of the workdir.
    again: whether to draw them even if they are up to date.

  Returns:
    The path of the report.

  Raises:
    DataError: a table is missing or damaged, or the workdir can't be written.
  """
  require_tables(path)
  page = path / 'report' / 'index.html'
  # One process decides for all.
  done = not again and is_drawn(path)
  if processes.broadcast(np.array(done)):
    logging.info('drawn already: %s', page)
    return page
  with provenance.timed(
    functools.partial(layout.add_timing, path, 'report', None)
  ):
    if processes.is_primary():
      logging.info('drawing the figures and the page')
      made_of = _made_of(path)
      names = _configured_figures(path)
      drawn = figures.save(path, names)
      report.write_report(path, figures=names)
      sums = checksums.noted(path / 'figures')
      held = {'figures': {file.name: sums.get(file.name) for file in drawn}}
      checksums.mark(path / 'report', made_of | held)
  processes.barrier('report')
  return page


def is_drawn(path: epath.Path) -> bool:
  """Returns whether figures and report are up to date and unchanged.

  The times of the stage report itself, which the report shows, are ignored:
  drawing again would change them again.
  """
  held = checksums.marked(path / 'report')
  drawn = held.pop('figures', {})
  sums = checksums.noted(path / 'figures')
  if drawn != {name: sums.get(name) for name in drawn}:
    return False
  if not held or held != _made_of(path):
    return False
  folders = (path / 'figures', path / 'report')
  return not any(itertools.chain(*(checksums.changed(f, '') for f in folders)))


def _made_of(path: epath.Path) -> dict[str, Any]:
  """Returns all inputs of the figures and the report."""
  timings = report.provenance.read_run_file(path, report.SHOWN['timings'])
  entries = timings.get('stages', ())
  shown = [
    path / name for key, name in report.SHOWN.items() if key != 'timings'
  ]
  return {
    'tables': files.digest(fingerprints.checksums(path)),
    'shown': {
      file.name: files.file_digest(file) if file.exists() else ''
      for file in shown
    },
    'timings': files.digest([e for e in entries if e['stage'] != 'report']),
    'program': provenance.code_digest(),
    'page': provenance.code_digest('report/page/*'),
    'versions': files.digest(provenance.versions()),
  }


def _configured_figures(path: epath.Path) -> list[str] | None:
  if not (path / 'config.json').exists():
    return None
  return layout.read_config(path)['report']['figures']

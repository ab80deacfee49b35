"""Study as an object: tables by name, figures, pairs, findings."""

import functools
import os
import warnings
from collections.abc import Mapping
from typing import Any

import pandas as pd
from etils import epath

from overlap import figures
from overlap.core import errors, lookup, wording
from overlap.figures import frames
from overlap.notebook import html, names
from overlap.notebook.pair import Pair
from overlap.report import findings as findings_lib
from overlap.report import provenance
from overlap.report.sentences import Finding
from overlap.tables import schemas

# Number of studies named in the error message for a folder of studies.
_LISTED = 5


def load_study(workdir: epath.PathLike) -> 'Study':
  """Opens a study from its folder.

  Only `tables/` is required; `config.json` is read if present. Warns if
  predictions were stored after the tables were written.

  Args:
    workdir: folder of the study, local or in cloud storage.

  Raises:
    UsageError: `workdir` is not a path.
    DataError: the folder is absent or has no study, or a file in it is damaged.
  """
  path = as_folder(workdir)
  if not (path / 'tables' / 'models.csv').exists():
    raise errors.DataError(_no_study(path))
  if (path / 'predictions').exists():
    from overlap.workdir import fingerprints  # Not needed for tables alone.

    if line := fingerprints.stale(path):
      warnings.warn(line, stacklevel=2)
  return Study(path, figures.load(path))


def as_folder(workdir: epath.PathLike) -> epath.Path:
  """Returns the path of a folder, which may be absent.

  Raises:
    UsageError: `workdir` is not a path.
  """
  given = os.fspath(workdir) if isinstance(workdir, os.PathLike) else workdir
  if not isinstance(given, str) or not given or '\0' in given:
    raise errors.UsageError(f'The workdir must be a folder, got {workdir!r}.')
  return epath.Path(workdir)


def _no_study(path: epath.Path) -> str:
  rule = "The workdir must be a study's folder, with tables in it, got"
  if not path.is_dir():
    fault = 'is none' if path.exists() else 'does not exist'
    return f'{rule} {path}, which {fault}.'
  if (path / 'predictions').exists():
    return (
      f'{rule} {path}, which has predictions only: `overlap analyse'
      f' --workdir={path} --base=MODEL` makes the tables.'
    )
  inside = sorted(
    child.name
    for child in path.iterdir()
    if (child / 'tables' / 'models.csv').exists()
  )
  listed = ', '.join(inside[:_LISTED]) + ', ...' * (len(inside) > _LISTED)
  return (
    f'{rule} {path}, which has none. '
    + (f'Studies in it: {listed}. ' if inside else '')
    + '`overlap study --config=configs/quickstart.py --workdir=W` makes one.'
  )


class Tables(dict[str, pd.DataFrame]):
  """Tables by name; an unknown name raises a one-line error."""

  def __missing__(self, name: str) -> pd.DataFrame:
    lookup.check_choice('table of this study', name, self)
    raise AssertionError(name)


class Study:
  """Results of a study.

  Tables are attributes: `study.models`, `study.pairs`, ...

  Attributes:
    workdir: folder of the study.
    tables: pandas tables by name, with fractions as in the CSV files.
    config: config of the study; empty if it was made without a config.
    base: name of the model that the others are compared with.
  """

  def __init__(self, workdir: epath.Path, loaded: Mapping[str, pd.DataFrame]):
    self.workdir = workdir
    self.tables = Tables(
      (name, loaded[name]) for name in schemas.SCHEMAS if name in loaded
    )
    self._config = provenance.read_run_file(workdir, 'config.json')
    self._request = provenance.read_run_file(workdir, 'tables/analysis.json')
    self.config = self._config.get('config') or {}
    self.base = frames.base_name(self.tables['models'])

  def __getattr__(self, name: str) -> pd.DataFrame:
    held = vars(self).get('tables', {})
    return held[names.check_attribute('table of this study', name, held)]

  def __dir__(self) -> list[str]:
    return sorted({*super().__dir__(), *self.tables})

  @property
  def findings(self) -> list[Finding]:
    """Returns the findings of the study in words: titles and sentences."""
    options = self._request.get('options') or {}
    level = float(options.get('confidence', 0.95))
    return findings_lib.findings(self.tables, level)

  @functools.cached_property
  def figures(self) -> dict[str, Any]:
    """Returns all figures that the tables allow, as Altair charts by name."""
    drawn = {}
    for name in figures.FIGURES:
      try:
        drawn[name] = self.figure(name)
      except figures.NotDrawableError:
        continue
    return drawn

  def figure(self, name: str) -> Any:
    """Returns one of the paper's figures for this study, as an Altair chart.

    Args:
      name: 'fig01' ... 'fig13', 'table1' ... 'table4' or 'heatmap'.

    Raises:
      UsageError: the figure is unknown.
      NotDrawableError: the tables have no data for the figure.
    """
    return figures.plot(name, self.tables)[0]

  def pair(self, model_1: str, model_2: str) -> Pair:
    """Returns all measurements of two models.

    Raises:
      UsageError: a model is unknown, or the two are the same.
      DataError: the study did not compare these two.
    """
    for name in (model_1, model_2):
      lookup.check_choice('model of this study', name, self.models['model'])
    if model_1 == model_2:
      raise errors.UsageError(
        f'A pair must be of two different models, got {model_1!r} twice.'
      )
    return Pair(self.tables, model_1, model_2)

  def __repr__(self) -> str:
    first = self.models.iloc[0]
    return (
      f'Study of {wording.counted(len(self.models), "model")} and'
      f' {wording.counted(len(self.pairs), "pair")} on'
      f' {first["dataset"]}/{first["split"]}, base {self.base!r}, in'
      f' {self.workdir}'
    )

  def _repr_html_(self) -> str:
    facts = provenance.what_was_run(self._config, self._request, self.tables)
    return html.study(
      title=provenance.title(self._config, self.tables),
      facts=facts,
      findings=self.findings,
      tables=list(self.tables),
    )

"""A study as an object: tables by name, figures, pairs, findings."""

import functools
import os
import warnings
from collections.abc import Mapping
from typing import Any

import pandas as pd
from etils import epath

from overlap import errors, figures, lookup, plurals, tables
from overlap.figures import frames
from overlap.notebook import html, names
from overlap.notebook.pair import Pair
from overlap.report import findings as findings_lib
from overlap.report import provenance
from overlap.report.sentences import Finding

# Of studies in a folder that is none, so many are named.
_LISTED = 5


def load_study(workdir: epath.PathLike) -> 'Study':
  """Opens a study from its folder.

  Only `tables/` is needed; `config.json` is read where it is there. Warns
  where predictions were stored after the tables were made.

  Args:
    workdir: folder of the study, local or in cloud storage.

  Raises:
    UsageError: it is no path.
    DataError: the folder is absent or holds no study, or a file in it is
      damaged.
  """
  path = as_folder(workdir)
  if not (path / 'tables' / 'models.csv').exists():
    raise errors.DataError(_no_study(path))
  if (path / 'predictions').exists():
    from overlap.study import unchanged  # Here: tables alone don't need it.

    if line := unchanged.stale(path):
      warnings.warn(line, stacklevel=2)
  return Study(path, figures.load(path))


def as_folder(workdir: epath.PathLike) -> epath.Path:
  """A path that a notebook gives as a folder, which may be absent.

  Raises:
    UsageError: it is no path.
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
  """The tables by name; a name that is not there is one clear line."""

  def __missing__(self, name: str) -> pd.DataFrame:
    lookup.check('table of this study', name, self)
    raise AssertionError(name)


class Study:
  """A study that was run: what it holds, by name.

  Tables are attributes: `study.models`, `study.pairs`, ...

  Attributes:
    workdir: its folder.
    tables: from names to pandas tables, fractions in them as in the CSV.
    config: the study's config; empty where it was made without.
    base: the name of the model that the others are compared with.
  """

  def __init__(self, workdir: epath.Path, loaded: Mapping[str, pd.DataFrame]):
    self.workdir = workdir
    self.tables = Tables(
      (name, loaded[name]) for name in tables.SCHEMAS if name in loaded
    )
    self._config = provenance.read(workdir, 'config.json')
    self._request = provenance.read(workdir, 'tables/analysis.json')
    self.config = self._config.get('config') or {}
    self.base = frames.base_name(self.tables['models'])

  def __getattr__(self, name: str) -> pd.DataFrame:
    held = vars(self).get('tables', {})
    return held[names.check('table of this study', name, held)]

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
    """All figures that the tables allow: from names to Altair charts."""
    drawn = {}
    for name in figures.FIGURES:
      try:
        drawn[name] = self.figure(name)
      except figures.NotDrawableError:
        continue
    return drawn

  def figure(self, name: str) -> Any:
    """One of the paper's figures for this study, as an Altair chart.

    Args:
      name: 'fig01' ... 'fig13', 'table1' ... 'table4' or 'heatmap'.

    Raises:
      UsageError: no such figure.
      NotDrawableError: the tables hold nothing that it shows.
    """
    return figures.plot(name, self.tables)[0]

  def pair(self, model_1: str, model_2: str) -> Pair:
    """Returns all measurements of two models, the first named as model 1.

    Raises:
      UsageError: no such model, or twice the same.
      DataError: the study did not compare these two.
    """
    for name in (model_1, model_2):
      lookup.check('model of this study', name, self.models['model'])
    if model_1 == model_2:
      raise errors.UsageError(
        f'A pair must be of two different models, got {model_1!r} twice.'
      )
    return Pair(self.tables, model_1, model_2)

  def __repr__(self) -> str:
    first = self.models.iloc[0]
    return (
      f'Study of {plurals.counted(len(self.models), "model")} and'
      f' {plurals.counted(len(self.pairs), "pair")} on'
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

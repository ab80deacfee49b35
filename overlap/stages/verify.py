"""Checks a workdir: files against checksums, tables against the arrays.

Files of a stage are reported as missing if another file shows that the stage
was run: its times, a checkpoint, the report. Files that affect no number and
no figure are not checked: times, logs and TensorBoard files of training runs,
and remains of killed runs.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from absl import logging
from etils import epath

from overlap import store
from overlap.analyses import run as analyses_run
from overlap.core import checksums, errors, files, provenance
from overlap.distributed import meshes
from overlap.models.checkpoints import orbax_folder
from overlap.stages import analyse
from overlap.tables import table_io
from overlap.train import checkpoint
from overlap.workdir import fingerprints, layout, model_file

_DRAWN = '`overlap report` makes it again'
# Tables of fitted probes, whose sums go over the devices.
_PROBED = tuple(
  name for name, made in analyses_run.ANALYSES.items() if '.probing.' in made
)
# So many devices add in one order, however many threads compute for them; more
# do where each of them has a core.
_SAME_ORDER = 2
_DIFFERS = 'differs from what the arrays give'


def faults(path: epath.PathLike) -> Iterator[str]:
  """Yields one line per fault.

  Args:
    path: path of the workdir.

  Raises:
    DataError: the folder does not exist.
  """
  path = epath.Path(path)
  if not path.is_dir():
    raise errors.DataError(f'--workdir must be a folder, got {path}.')
  made_on = fingerprints.devices(path)
  if made_on.get('platform') == 'cpu':
    meshes.use_cpu_devices(made_on['count'])
  yield from files.report_unreadable(path, _study_faults(path))
  found = list(store.check_store(path))
  yield from found
  yield from files.report_unreadable(
    path, _tables_faults(path, arrays_hold=not found)
  )
  yield from files.report_unreadable(path, _report_faults(path))


def _study_faults(path: epath.Path) -> Iterator[str]:
  """Yields faults of the config, the times and the models' variables."""
  config, models = path / 'config.json', path / 'models'
  if config.exists():
    yield from _config_faults(path)
  elif models.is_dir():
    yield f'{config}: absent; `overlap study` with its config writes it again'
  times = [path / 'timings.json', *(path / 'timings').glob('*.json')]
  for file in times:
    if file.exists():
      yield from checksums.faults(file, 'delete it; it holds times alone')
  for folder in sorted(models.iterdir()) if models.is_dir() else ():
    if not folder.name.startswith('.') and folder.is_dir():
      yield from files.report_unreadable(folder, _model_faults(folder))


def _config_faults(path: epath.Path) -> Iterator[str]:
  found = list(checksums.faults(path / 'config.json', layout.AGAIN))
  yield from found
  if not found:
    try:
      layout.read_config(path)
    except errors.DataError as e:
      yield str(e)


def _model_faults(folder: epath.Path) -> Iterator[str]:
  """Yields faults of a trained model; none of an unfinished one."""
  file, again = folder / model_file.FILE, model_file.again(folder)
  if not file.exists():
    # A run in progress has a folder of its own until model.json is written.
    if (folder / 'checkpoint').exists() and not any(folder.glob('run-*')):
      yield f'{file}: absent; {again}'
    return
  found = list(checksums.faults(file, again))
  yield from found
  values = None if found else model_file.read_model_file(folder)
  if values is None or 'variables_sha256' not in values:
    return  # Written by a version that recorded no digest.
  try:
    got = checkpoint.digest(orbax_folder.load(folder / 'checkpoint'))
  except errors.DataError as e:
    yield f'{str(e).rstrip(".")}: {again}.'
    return
  if got != values['variables_sha256']:
    yield f'{folder / "checkpoint"}: not as it was written: {again}.'


def _tables_faults(path: epath.Path, *, arrays_hold: bool) -> Iterator[str]:
  """Yields faults of the tables, compared with those computed anew."""
  folder = path / 'tables'
  request = folder / 'analysis.json'
  if not request.exists():
    if _was_run(path, 'analyse') or any(folder.glob('*.csv')):
      yield f'{request}: absent; {table_io.AGAIN}'
    return
  yield from checksums.faults(folder / table_io.DONE, table_io.AGAIN)
  found = list(checksums.faults(request, table_io.AGAIN))
  yield from found
  if found or not arrays_hold:
    what = 'the arrays have' if not arrays_hold else f'{request} has'
    yield f'{folder}: not checked, for {what} faults'
    return
  try:
    wanted = analyse.compute(path, checksums.read_json(request, table_io.AGAIN))
  except errors.OverlapError as error:
    yield f'{folder}: can not be computed again: {error}'
    return
  written = (
    table_io.read_checksums(path) if not _can_repeat_probes(path) else None
  )
  for name, frame in wanted.items():
    if written is not None and name in _PROBED:
      yield from _changed(folder, name, written)
    else:
      yield from _table_faults(path, name, frame)


def _can_repeat_probes(path: epath.Path) -> bool:
  """Whether sums over the devices here are rounded as those of the tables."""
  made_on, here = fingerprints.devices(path), provenance.device()
  if not made_on or made_on == {name: here[name] for name in made_on}:
    return True
  threads = here['cpu_cores'] >= here['count'] or here['count'] <= _SAME_ORDER
  if threads and made_on == {name: here[name] for name in made_on} | {
    'processes': made_on['processes']
  }:
    return True
  logging.info(
    'tables of probes were made by %s device(s) of %s in %s process(es), and '
    'sums are rounded otherwise here: they are checked by their checksums '
    'alone',
    *(made_on.get(name) for name in ('count', 'kind', 'processes')),
  )
  return False


def _changed(
  folder: epath.Path, name: str, written: Mapping[str, str]
) -> Iterator[str]:
  """Compares a table's files with the checksums noted beside them."""
  for kind in ('csv', 'parquet'):
    file = folder / f'{name}.{kind}'
    if not file.exists():
      yield f'{file}: absent; {table_io.AGAIN}'
    elif files.file_digest(file) != written.get(file.name):
      yield f'{file}: not as it was written; {table_io.AGAIN}'


def _report_faults(path: epath.Path) -> Iterator[str]:
  """Yields faults of the figures and the report, from their checksums."""
  figures, report = path / 'figures', path / 'report'
  drawn = checksums.marked(report).get('figures') or any(figures.glob('*.svg'))
  shown = _was_run(path, 'report') or (report / 'index.html').exists()
  for folder, made in ((figures, drawn), (report, shown)):
    if made and not (folder / checksums.DONE).exists():
      yield f'{folder / checksums.DONE}: absent; {_DRAWN}'
    yield from checksums.changed(folder, _DRAWN)
  if (thumbnails := report / 'thumbnails.json').exists():
    yield from checksums.faults(thumbnails, _DRAWN)


def _was_run(path: epath.Path, stage: str) -> bool:
  """Returns whether a stage without models has recorded its times."""
  return (path / 'timings' / f'{stage}.json').exists()


def _table_faults(
  path: epath.Path, name: str, wanted: pd.DataFrame
) -> Iterator[str]:
  """Compares a stored table with one just computed, cell by cell."""
  file = path / 'tables' / f'{name}.csv'
  fault = _file_fault(file, table_io.to_csv(wanted))
  if not fault:
    parquet = file.with_suffix('.parquet')
    if fault := _file_fault(parquet, table_io.to_parquet(wanted)):
      yield f'{parquet}: {fault}; {table_io.AGAIN}'
    return
  if fault != _DIFFERS:
    yield f'{file}: {fault}; {table_io.AGAIN}'
    return
  try:
    got = table_io.read_table(path, name)
  except (errors.DataError, ValueError) as error:
    yield f'{file}: can not be read: {error}'
    return
  if list(got.columns) != list(wanted.columns) or len(got) != len(wanted):
    yield (
      f'{file}: {len(got)} rows and {len(got.columns)} columns, the arrays '
      f'give {len(wanted)} and {len(wanted.columns)}'
    )
    return
  for column in wanted.columns:
    for row in _differing_rows(got[column], wanted[column])[:1]:
      yield (
        f'{file}: row {row + 1} has {column} {got[column].iloc[row]}, the '
        f'arrays give {wanted[column].iloc[row]}'
      )
      return
  yield f'{file}: its bytes differ from those the arrays give'


def _file_fault(file: epath.Path, content: bytes) -> str:
  """Returns the fault of a file of known content; '' for none."""
  if not file.exists():
    return 'absent'
  try:
    return '' if file.read_bytes() == content else _DIFFERS
  except OSError as e:
    return f'can not be read ({e.strerror or e})'


def _differing_rows(got: pd.Series, wanted: pd.Series) -> list[int]:
  if pd.api.types.is_float_dtype(wanted):
    same = np.isclose(
      pd.to_numeric(got, errors='coerce'), wanted,
      rtol=1e-9, atol=0, equal_nan=True,
    )  # fmt: skip
  else:
    # Missing values in text columns do not compare as equal.
    absent = got.isna() & wanted.isna()
    equal = got.astype(object) == wanted.astype(object)
    same = (absent | equal.fillna(False)).to_numpy(bool)
  return [int(row) for row in np.flatnonzero(~same)]

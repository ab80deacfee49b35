"""Checks a workdir: arrays against checksums, tables against arrays."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from etils import epath

from overlap import errors, files, store, tables
from overlap.study import results


def faults(workdir: epath.PathLike) -> Iterator[str]:
  """Yields one line a fault; none where all is as it should be.

  Raises:
    DataError: there is no such folder.
  """
  path = epath.Path(workdir)
  if not path.is_dir():
    raise errors.DataError(f'--workdir must be a folder, got {path}.')
  found = list(store.check(path))
  yield from found
  request = path / 'tables' / 'analysis.json'
  if not request.exists():
    return
  if found:
    yield f'{path / "tables"}: not checked, for the arrays have faults'
    return
  try:
    wanted = results.compute(path, files.read_json(request))
  except errors.OverlapError as error:
    yield f'{path / "tables"}: can not be computed again: {error}'
    return
  for name, frame in wanted.items():
    yield from _table_faults(path, name, frame)


def _table_faults(
  path: epath.Path, name: str, wanted: pd.DataFrame
) -> Iterator[str]:
  """Compares a stored table with one just computed, cell by cell."""
  file = path / 'tables' / f'{name}.csv'
  if not file.exists():
    yield f'{file}: absent; `overlap analyse` makes it'
    return
  if file.read_bytes() == tables.to_csv(wanted):
    yield from _parquet_faults(path, name, wanted)
    return
  try:
    got = tables.read(path, name)
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


def _parquet_faults(
  path: epath.Path, name: str, wanted: pd.DataFrame
) -> Iterator[str]:
  file = path / 'tables' / f'{name}.parquet'
  if not file.exists():
    yield f'{file}: absent; `overlap analyse` makes it'
  elif file.read_bytes() != tables.to_parquet(wanted):
    yield f'{file}: differs from {name}.csv'


def _differing_rows(got: pd.Series, wanted: pd.Series) -> list[int]:
  if pd.api.types.is_float_dtype(wanted):
    same = np.isclose(
      pd.to_numeric(got, errors='coerce'), wanted,
      rtol=1e-9, atol=0, equal_nan=True,
    )  # fmt: skip
  else:
    # A missing text is equal to no text, not even to another missing one.
    absent = got.isna() & wanted.isna()
    equal = got.astype(object) == wanted.astype(object)
    same = (absent | equal.fillna(False)).to_numpy(bool)
  return [int(row) for row in np.flatnonzero(~same)]

"""The tables of a study: one CSV file each, and the same as Parquet.

The same frame gives the same bytes: floats are written as the shortest text
that reads back as the same number, missing values are empty fields. Rates are
fractions, never per cent.
"""

import hashlib
import io
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
from etils import epath

from overlap.core import checksums as core_checksums
from overlap.core import errors, files
from overlap.tables import schemas
from overlap.tables.schemas import SCHEMAS

AGAIN = '`overlap analyse` makes it again'
# What tables were made of, and their checksums, once all are written.
DONE = 'done.json'
MODELS_COLUMNS = tuple(SCHEMAS['models'])
PAIRS_COLUMNS = tuple(SCHEMAS['pairs'])


def typed(name: str, columns: Mapping[str, Any]) -> pd.DataFrame:
  """A frame with the columns and types of a table.

  Args:
    name: one of `SCHEMAS`.
    columns: from all of its columns, in any order, to values `[rows]`; None
      and NaN are missing.

  Raises:
    ValueError: other columns than the table's.
  """
  schema = SCHEMAS[name]
  if set(columns) != set(schema):
    wrong = sorted(set(columns) ^ set(schema))
    raise ValueError(f'{name} lacks, or has not, the columns {wrong}')
  return pd.DataFrame(
    {
      column: pd.Series(columns[column], dtype=kind)
      for column, kind in schema.items()
    }
  )


def to_csv(frame: pd.DataFrame) -> bytes:
  """The bytes of `<name>.csv`."""
  return frame.to_csv(index=False, lineterminator='\n').encode('utf-8')


def to_parquet(frame: pd.DataFrame) -> bytes:
  """The bytes of `<name>.parquet`."""
  buffer = io.BytesIO()
  frame.to_parquet(buffer, index=False, engine='pyarrow')
  return buffer.getvalue()


def write_table(
  workdir: epath.PathLike, name: str, frame: pd.DataFrame
) -> None:
  """Writes `tables/<name>.csv` and `.parquet`, each whole or not at all.

  Raises:
    ValueError: a table of `SCHEMAS` lacks columns, or has them in another
      order. Further columns may follow.
    DataError: the place can't be written.
  """
  wanted = list(SCHEMAS.get(name, ()))
  if list(frame.columns[: len(wanted)]) != wanted:
    raise ValueError(f'{name} must begin with the columns {wanted}')
  files.write_bytes(_path(workdir, name, 'parquet'), to_parquet(frame))
  files.write_bytes(_path(workdir, name, 'csv'), to_csv(frame))


def read_checksums(workdir: epath.PathLike) -> dict[str, str] | None:
  """SHA-256 of each file of a table, by its name, as the analyses wrote it.

  Returns:
    None where tables are just being written, or were before this was noted.

  Raises:
    DataError: the note is damaged.
  """
  file = epath.Path(workdir) / 'tables' / DONE
  if not file.exists():
    return None
  held = core_checksums.read_json(file, AGAIN).get('tables')
  if not isinstance(held, dict):
    raise errors.DataError(f'{file} must hold checksums, got none: {AGAIN}.')
  return held


def stamp(workdir: epath.PathLike) -> bytes | None:
  """Returns the bytes of `tables/done.json`, None where it can't be read.

  They are other bytes as soon as the tables were made again.
  """
  try:
    return (epath.Path(workdir) / 'tables' / DONE).read_bytes()
  except OSError:
    return None


def read_table(
  workdir: epath.PathLike,
  name: str,
  written: Mapping[str, str] | None = None,
) -> pd.DataFrame:
  """Reads `tables/<name>.csv`, with the types it was written with.

  Args:
    workdir: folder of the study.
    name: name of the table.
    written: from `checksums`; None for a table as it is.

  Raises:
    DataError: it is absent, no table, lacks a column, or was changed.
  """
  path = _path(workdir, name, 'csv')
  try:
    content = path.read_bytes()
  except OSError as e:
    raise errors.DataError(
      f'{path} must exist, got: {e.strerror or e}; '
      f'`overlap analyse --workdir={workdir}` makes it.'
    ) from e
  if written is not None:
    _check_unchanged(path, content, written)
  schema = SCHEMAS.get(name, {})
  again = f'`overlap analyse --workdir={workdir}` makes it again.'
  try:
    # Names such as 'NA' or '1.0' are names: all is text until it has a type.
    texts = pd.read_csv(io.BytesIO(content), dtype='str', na_filter=False)
    frame = pd.DataFrame(
      {
        name: _parsed(column, schema[name])
        if name in schema
        else _inferred(column)
        for name, column in texts.items()
      }
    )
  except (ValueError, OverflowError) as e:
    raise errors.DataError(
      f'{path} must hold the table {name!r}, got: {e}; {again}'
    ) from e
  if missing := [column for column in schema if column not in frame]:
    raise errors.DataError(
      f'{path} must have the columns {", ".join(missing)}, got none of them; '
      f'{again}'
    )
  return frame


def _check_unchanged(
  path: epath.Path, content: bytes, written: Mapping[str, str]
) -> None:
  if written.get(path.name) != hashlib.sha256(content).hexdigest():
    raise errors.DataError(
      f'{path} must be as `overlap analyse` wrote it, and was edited or '
      f'damaged: {AGAIN}.'
    )


def _parsed(texts: pd.Series, kind: str) -> pd.Series:
  """A column of texts as values of a type; '' is missing.

  Raises:
    ValueError: a text is no such value.
  """
  if kind == schemas.TEXT:
    return texts
  parse = _PARSERS[kind]
  values = [parse(text) if text else None for text in texts]
  if kind in schemas.REQUIRED and None in values:
    raise ValueError(f'{texts.name} is empty in row {values.index(None) + 1}')
  return pd.Series(values, dtype=kind, name=texts.name)


def _inferred(texts: pd.Series) -> pd.Series:
  """A column of a table without a schema, as the narrowest type it fits."""
  for kind in ('bool', schemas.COUNT, schemas.NUMBER):
    try:
      return _parsed(texts, kind)
    except ValueError:
      continue
  return texts


def _flag(text: str) -> bool:
  if text not in ('True', 'False'):
    raise ValueError(f'{text!r} is neither True nor False')
  return text == 'True'


# Python's own `float` gives back every number exactly.
_PARSERS: Mapping[str, Callable[[str], Any]] = {
  'bool': _flag,
  schemas.MAYBE_FLAG: _flag,
  schemas.COUNT: int,
  schemas.MAYBE_COUNT: int,
  schemas.NUMBER: float,
}


def _path(workdir: epath.PathLike, name: str, extension: str) -> epath.Path:
  return epath.Path(workdir) / 'tables' / f'{name}.{extension}'

"""The tables of a study: one CSV file each, and the same as Parquet.

The same frame gives the same bytes: floats are written as the shortest text
that reads back as the same number, missing values are empty fields. Rates are
fractions, never per cent.
"""

import io
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
from etils import epath

from overlap import errors, files

_TEXT, _COUNT, _NUMBER = 'str', 'int64', 'float64'
# These may be missing, as may numbers.
_MAYBE_COUNT, _MAYBE_FLAG = 'Int64', 'boolean'
_REQUIRED = ('bool', _COUNT)


def _columns(kind: str, names: str) -> dict[str, str]:
  return dict.fromkeys(names.split(), kind)


def _bounds(names: str) -> dict[str, str]:
  """`_lower` and `_upper` columns."""
  ends = ('lower', 'upper')
  return {f'{name}_{end}': _NUMBER for name in names.split() for end in ends}


# Columns in their order, each with its type. One row a model, the base first;
# the last two of the measurements are of the pair with the base.
_MODELS = {
  **_columns(_TEXT, 'model category method head dataset split'),
  **_columns(_COUNT, 'n'),
  **_columns(_NUMBER, 'temperature accuracy nll nll_calibrated'),
  **_columns(_NUMBER, 'ece ece_calibrated'),
  **_columns(_NUMBER, 'error_inconsistency ensemble_accuracy'),
  **_bounds('accuracy error_inconsistency ensemble_accuracy'),
  'in_window': 'bool',
  **_columns(_MAYBE_FLAG, 'calibration_converged calibration_bound_hit'),
}
# One row a pair, its models in the order of the models' table.
_PAIRS = {
  **_columns(_TEXT, 'model_1 model_2 category dataset split'),
  **_columns(_COUNT, 'n both_correct only_1 only_2 neither'),
  **_columns(_NUMBER, 'accuracy_1 accuracy_2 error_inconsistency kappa'),
  **_columns(_NUMBER, 'ensemble_accuracy gain conversion_rate'),
  **_columns(_NUMBER, 'neither_conversion_rate loss_rate'),
  **_columns(_NUMBER, 'ensemble_accuracy_probs mcnemar_p mcnemar_p_holm'),
  **_bounds('error_inconsistency kappa gain conversion_rate'),
  **_columns(_NUMBER, 'dominance_1 dominance_2'),
  **_columns(_MAYBE_COUNT, 'ensemble_correct converted_only_1'),
  **_columns(_MAYBE_COUNT, 'converted_only_2 converted_neither lost'),
}
# Means over the pairs of each category with the base.
CATEGORY_MEANS = (
  'error_inconsistency',
  'gain',
  'conversion_rate',
  'both_correct',
  'neither',
  'ensemble_accuracy',
  'gain_over_base',
)
_CATEGORIES = {
  'category': _TEXT,
  **_columns(_COUNT, 'models pairs'),
  **_columns(_NUMBER, ' '.join(CATEGORY_MEANS)),
  **_bounds(' '.join(CATEGORY_MEANS)),
}
# `lower` and `upper` are Pearson's.
_CORRELATIONS = {
  **_columns(_TEXT, 'name scope'),
  **_columns(_NUMBER, 'pearson slope lower upper'),
  'n': _COUNT,
  **_bounds('slope'),
}
SCHEMAS: Mapping[str, Mapping[str, str]] = {
  'models': _MODELS,
  'pairs': _PAIRS,
  'categories': _CATEGORIES,
  'correlations': _CORRELATIONS,
}
MODELS_COLUMNS = tuple(_MODELS)
PAIRS_COLUMNS = tuple(_PAIRS)


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


def write(workdir: epath.PathLike, name: str, frame: pd.DataFrame) -> None:
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


def read(workdir: epath.PathLike, name: str) -> pd.DataFrame:
  """Reads `tables/<name>.csv`, with the types it was written with.

  Raises:
    DataError: it is absent, no table, or lacks a column.
  """
  path = _path(workdir, name, 'csv')
  try:
    content = path.read_bytes()
  except OSError as e:
    raise errors.DataError(
      f'{path} must exist, got: {e.strerror or e}; '
      f'`overlap analyse --workdir={workdir}` makes it.'
    ) from e
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


def _parsed(texts: pd.Series, kind: str) -> pd.Series:
  """A column of texts as values of a type; '' is missing.

  Raises:
    ValueError: a text is no such value.
  """
  if kind == _TEXT:
    return texts
  parse = _PARSERS[kind]
  values = [parse(text) if text else None for text in texts]
  if kind in _REQUIRED and None in values:
    raise ValueError(f'{texts.name} is empty in row {values.index(None) + 1}')
  return pd.Series(values, dtype=kind, name=texts.name)


def _inferred(texts: pd.Series) -> pd.Series:
  """A column of a table without a schema, as the narrowest type it fits."""
  for kind in ('bool', _COUNT, _NUMBER):
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
  _MAYBE_FLAG: _flag,
  _COUNT: int,
  _MAYBE_COUNT: int,
  _NUMBER: float,
}


def _path(workdir: epath.PathLike, name: str, extension: str) -> epath.Path:
  return epath.Path(workdir) / 'tables' / f'{name}.{extension}'

"""Parquet, a batch of rows at a time."""

from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.parquet

from overlap.ingest import columns
from overlap.ingest import source as source_lib
from overlap.ingest.columns import ROW, Table
from overlap.ingest.faults import readable

_LIST = 1000


def open_parquet(path: str) -> Table:
  """Reads the schema of a Parquet file.

  Raises:
    DataError: it is absent, damaged, or names a column twice.
  """
  with readable(path, 'Parquet'):
    names = pa.parquet.read_schema(path).names
  columns.check_names(path, names)
  return Table(path, names, 'Parquet', lambda wanted: _batches(path, wanted))


def _batches(path: str, wanted: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
  # The lists of a row are about so long.
  numbers = sum(_LIST if kind == ROW else 1 for kind in wanted.values())
  with pa.parquet.ParquetFile(path) as file:
    size = source_lib.block_rows(8 * numbers)
    yield from file.iter_batches(batch_size=size, columns=list(wanted))

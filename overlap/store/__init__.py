"""The prediction store: Zarr v3 arrays under `<workdir>/predictions`.

Reads and writes `[examples, classes]` logits, `[examples, features]` features
and hard labels of many models over the same examples, in one order, on a local
file system or on Cloud Storage. Arrays may be larger than memory.
"""

from overlap.store.check import check_store
from overlap.store.examples import StoredExamples, write_examples
from overlap.store.reader import Store
from overlap.store.schema import (
  CHUNK_BYTES,
  CHUNK_ROWS,
  chunk_rows,
  ids_hash,
  process_slices,
)
from overlap.store.writer import RecordWriter

__all__ = [
  'CHUNK_BYTES',
  'CHUNK_ROWS',
  'RecordWriter',
  'Store',
  'StoredExamples',
  'check_store',
  'chunk_rows',
  'ids_hash',
  'process_slices',
  'write_examples',
]

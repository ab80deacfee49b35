"""From a checked source into the store, in bounded memory."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from etils import epath

from overlap import store
from overlap.core import progress
from overlap.ingest import sanity
from overlap.ingest.sanity import Tally
from overlap.ingest.source import Blocks


def write_model(
  workdir: epath.PathLike,
  *,
  dataset: str,
  split: str,
  model: str,
  replace: bool,
  arrays: dict[str, np.ndarray],
  logits: Blocks | None,
  places: np.ndarray,
  record: dict[str, Any],
  tally: Tally,
) -> dict[str, Any]:
  """Writes one model's record, complete or not at all.

  Args:
    workdir: folder whose store has the examples.
    dataset: name of the data set.
    split: name of the split.
    model: name of the model.
    replace: whether a record that is there gives way.
    arrays: `predicted` and perhaps `confidence`, `[rows]` in the file's order.
    logits: blocks of rows in the file's order, or None.
    places: int64 `[rows]`, which example each row is, each once.
    record: fields for record.json; `accuracy` is added.
    tally: counts the right answers.

  Returns:
    The record as stored.

  Raises:
    DataError: what `logits` raises; there is a record, and not `replace`.
  """
  with store.RecordWriter(
    workdir, dataset=dataset, split=split, model=model, replace=replace
  ) as writer:
    for name, values in arrays.items():
      writer.create(name, shape=values.shape, dtype=values.dtype)
      writer.write(name, 0, _placed(values, places))
    if 'predicted' in arrays:
      tally.add(0, _placed(arrays['predicted'], places))
    if logits is not None:
      shape = (writer.num_examples, writer.num_classes)
      writer.create('logits', shape=shape, dtype=np.float32)
      with _ordered(logits, places, shape) as blocks:
        for start, block in _tracked(blocks, shape[0], model):
          writer.write('logits', start, block)
          tally.add(start, sanity.highest(block))
    return writer.finish(record | {'accuracy': tally.accuracy})


def stored_already(
  workdir: epath.PathLike,
  *,
  dataset: str,
  split: str,
  model: str,
  record: Mapping[str, Any],
  arrays: dict[str, np.ndarray],
  logits: Blocks | None,
  places: np.ndarray,
  tally: Tally,
) -> bool:
  """Returns whether a record holds just these arrays, bit by bit.

  Args:
    record: the model's, as it is stored.
    others: as `write` takes them.

  Raises:
    DataError: what `logits` raises; what is stored is damaged.
  """
  reader = store.Store(workdir)

  def differs(name: str, start: int, values: np.ndarray) -> bool:
    stop = start + len(values)
    old = reader.read(dataset, split, model, name, start, stop)
    return old.shape != values.shape or old.tobytes() != values.tobytes()

  same = set(record['arrays']) == set(arrays) | (
    {'logits'} if logits else set()
  )
  if 'predicted' in arrays:
    tally.add(0, _placed(arrays['predicted'], places))
  for name, values in arrays.items():
    same = same and not differs(name, 0, _placed(values, places))
  if logits is not None:
    shape = (len(places), record['num_classes'])
    with _ordered(logits, places, shape) as blocks:
      # To the end in any case: a fault in the file comes first.
      for start, block in blocks:
        same = same and not differs('logits', start, block)
        tally.add(start, sanity.highest(block))
  return same


def _placed(values: np.ndarray, places: np.ndarray) -> np.ndarray:
  ordered = np.empty_like(values)
  ordered[places] = values
  return ordered


@contextlib.contextmanager
def _ordered(
  blocks: Blocks, places: np.ndarray, shape: tuple[int, int]
) -> Iterator[Blocks]:
  """Blocks in the store's order, by a scratch file where the file's differs."""
  if np.array_equal(places, np.arange(len(places))):
    yield blocks
    return
  with tempfile.TemporaryFile() as file:
    row_bytes = 4 * shape[1]
    file.truncate(max(1, shape[0] * row_bytes))
    # Written row by row and not mapped, so that memory stays bounded.
    for start, block in blocks:
      for place, row in zip(places[start : start + len(block)], block):
        file.seek(int(place) * row_bytes)
        file.write(row.tobytes())
    yield _reread(file, shape)


def _reread(file: Any, shape: tuple[int, int]) -> Blocks:
  file.seek(0)
  step = store.chunk_rows(4 * shape[1])
  for start in range(0, shape[0], step):
    count = min(step, shape[0] - start)
    content = file.read(count * 4 * shape[1])
    yield start, np.frombuffer(content, np.float32).reshape(count, shape[1])


def _tracked(blocks: Blocks, rows: int, model: str) -> Blocks:
  """The same blocks, with progress by rows shown."""

  def counted() -> Iterator[int]:
    for block in blocks:
      latest.append(block)
      yield from range(len(block[1]))

  latest: list[tuple[int, np.ndarray]] = []
  for _ in progress.track(
    counted(), total=rows, what=f'ingest {model}', unit='row'
  ):
    while latest:
      yield latest.pop()

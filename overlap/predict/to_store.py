"""Prediction of one model over one split, into the store."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from etils import epath

from overlap import store
from overlap.core import errors, files, progress
from overlap.data.examples import Examples
from overlap.distributed import processes
from overlap.predict import forward as predict_forward

ARRAYS = ('logits', 'features')
# First row, and arrays of consecutive rows by name.
Rows = tuple[int, Mapping[str, np.ndarray]]


def ensure_examples(workdir: epath.PathLike, examples: Examples) -> str:
  """Stores a split's ids and labels unless they are already stored.

  Returns:
    The hash of the ids, which every record of the split contains.

  Raises:
    DataError: other ids or labels are stored under the same names.
  """
  if processes.is_primary():
    store.write_examples(
      workdir,
      dataset=examples.dataset,
      split=examples.split,
      ids=examples.ids,
      labels=examples.labels(),
      class_names=examples.class_names,
      targets=examples.targets(),
    )
  processes.barrier(f'examples {examples.dataset} {examples.split}')
  return (
    store.Store(workdir).examples(examples.dataset, examples.split).ids_hash
  )


def predict(
  *,
  workdir: epath.PathLike,
  name: str,
  forward: Callable[[Any, jax.Array], dict[str, jax.Array]],
  variables: Any,
  examples: Examples,
  batch_size: int,
  num_threads: int,
  record: Mapping[str, Any],
  arrays: Sequence[str] = ARRAYS,
  replace: bool = False,
) -> dict[str, Any]:
  """Predicts a whole split and stores logits, features, or both.

  Each process predicts and writes its own rows; the record appears when all
  are there. Memory does not grow with the number of examples.

  Args:
    workdir: folder that contains the store.
    name: name of the model.
    forward: function from `forward.forward_function`.
    variables: variables of the model.
    examples: examples of the split, stored with `ensure_examples`.
    batch_size: examples per call, over the devices of all processes.
    num_threads: number of threads that read images.
    record: further fields of record.json.
    arrays: names from `ARRAYS` to store. With features alone, the images may
      have other classes than the model.
    replace: whether an older record may be replaced.

  Returns:
    The record.

  Raises:
    DataError: a label is outside the classes of the logits.
  """
  shapes = jax.eval_shape(
    forward,
    variables,
    examples.fetch(np.arange(min(1, len(examples))))['image'],
  )
  classes = shapes['logits'].shape[-1]
  if 'logits' in arrays and classes != len(examples.class_names):
    raise errors.DataError(
      f'{name} must give a logit for each of the {len(examples.class_names)} '
      f'classes of {examples.dataset}, got {classes}.'
    )

  own_batch = processes.own_batch(batch_size)

  def rows(start: int, stop: int) -> Iterator[Rows]:
    outputs = predict_forward.run_forward(
      forward,
      variables,
      examples,
      batch_size=own_batch,
      num_threads=num_threads,
      start=start,
      stop=stop,
    )
    total = -(-(stop - start) // own_batch)
    for batch in progress.track(
      outputs, total=total, what=f'{name} predicts', unit='batch'
    ):
      yield batch.start, {array: getattr(batch, array) for array in arrays}

  return write_record(
    workdir=workdir,
    dataset=examples.dataset,
    split=examples.split,
    name=name,
    count=len(examples),
    widths={array: shapes[array].shape[-1] for array in arrays},
    rows=rows,
    record=dict(record) | {'source': 'predict'},
    replace=replace,
  )


def write_record(
  *,
  workdir: epath.PathLike,
  dataset: str,
  split: str,
  name: str,
  count: int,
  widths: Mapping[str, int],
  rows: Callable[[int, int], Iterator[Rows]],
  record: Mapping[str, Any],
  replace: bool,
) -> dict[str, Any]:
  """Stores arrays of which each process computes its own rows.

  Args:
    workdir: folder that contains the store with the split's examples.
    dataset: name of the data set.
    split: name of the split.
    name: name of the model.
    count: number of examples of the split.
    widths: width of each array, float32 `[count, width]`, by name.
    rows: function `(start, stop)` that yields this process's rows as `(start,
      arrays)`.
    record: further fields of record.json.
    replace: whether an older record may be replaced.

  Returns:
    The record.
  """
  writer = store.RecordWriter(
    workdir,
    dataset=dataset,
    split=split,
    model=name,
    token=_shared_token() if processes.process_count() > 1 else '',
    primary=processes.is_primary(),
    replace=replace,
  )
  with writer:
    for array, width in widths.items():
      writer.create(array, shape=(count, width), dtype=np.dtype(np.float32))
    processes.barrier(f'created {name}')
    cuts = _shared_rows(widths.values(), count)
    start, stop = store.process_slices(count, processes.process_count(), cuts)[
      processes.process_index()
    ]
    for first, arrays in rows(start, stop):
      for array, values in arrays.items():
        writer.write(array, first, values)
    return _finish(writer, dict(record))


def _finish(
  writer: store.RecordWriter, record: dict[str, Any]
) -> dict[str, Any]:
  """Publishes the record from the primary process when all rows are there."""
  if not processes.is_primary():
    writer.finish(record)
  processes.barrier('rows written')
  if processes.is_primary():
    record = writer.finish(record)
  processes.barrier('record shown')
  return record


def _shared_rows(widths: Iterable[int], num_rows: int) -> int:
  """Returns the multiple at which to cut rows, if possible whole chunks."""
  rows = max(store.chunk_rows(4 * width) for width in widths)
  return rows if num_rows >= rows * processes.process_count() else 1


def _shared_token() -> str:
  """Returns one random token, the same on all processes."""
  draw = np.frombuffer(bytes.fromhex(files.new_token()), np.uint16)
  return processes.broadcast(draw).tobytes().hex()

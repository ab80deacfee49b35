"""Writes one model's predictions over one split, checked before publication."""

import contextlib
import threading
import uuid
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
from etils import epath

from overlap.core import errors, files, lookup
from overlap.store import arrays, examples, folders, records, rows, schema
from overlap.store.chunks import ChunkWriter


class RecordWriter:
  """Writer of one model's predictions over one split.

  Nothing is visible before `finish` has read everything back. A model has one
  writer at a time: a new one removes the remains of a killed one.

  With several processes, all make a writer with the same `token` and `create`
  the same arrays; each writes its rows (see `schema.process_slices`); all but
  the primary call `finish`; then, after a barrier, the primary does.

  Attributes:
    num_examples: number of examples, M: the rows of every array.
    num_classes: number of classes, C: the columns of `logits`.
    ids_hash: hash of the ids in order, see `schema.ids_hash`.
  """

  def __init__(
    self,
    workdir: epath.PathLike,
    *,
    dataset: str,
    split: str,
    model: str,
    token: str = '',
    primary: bool = True,
    replace: bool = False,
  ):
    """Prepares a hidden folder beside the record's final path.

    Args:
      workdir: local folder or gs:// path.
      dataset: name of the data set.
      split: name of the split; its examples must be stored.
      model: name of the model, with any characters.
      token: token from `files.new_token`, the same on all processes of one
        attempt; '' for a single process.
      primary: whether this process creates the arrays and publishes the record.
      replace: whether to replace an existing record.

    Raises:
      DataError: the examples are not stored, or there is a record and not
        `replace`.
    """
    if not (primary or token):
      raise ValueError('A further process must get the token of the primary.')
    record = examples.read_record(workdir, dataset, split)
    self.num_examples: int = record['num_examples']
    self.num_classes: int = record['num_classes']
    self.ids_hash: str = record['ids_hash']
    self._identity = {'model': model, 'dataset': dataset, 'split': split}
    self._primary, self._replace = primary, replace
    self._final = schema.model_folder(workdir, dataset, split, model)
    self._folder = files.aside(self._final, token)
    self._writers: dict[str, ChunkWriter] = {}
    self._name = uuid.uuid4().hex
    self._lock = threading.Lock()
    self._closed = False
    if not replace:
      folders.refuse(self._final)
    if primary:
      folders.sweep(self._final, keep=self._folder)

  def create(
    self, name: str, *, shape: tuple[int, ...], dtype: npt.DTypeLike
  ) -> None:
    """Creates an array, before its rows are written.

    Args:
      name: 'logits', 'features', 'predicted' or 'confidence'.
      shape: [M, C], [M, D], [M] and [M], respectively.
      dtype: float32, float32, int32 and float32, respectively.

    Raises:
      UsageError: the name is unknown.
      DataError: shape or dtype does not fit the name, or the disk is faulty.
    """
    lookup.check_choice('array', name, schema.MODEL_ARRAYS)
    with self._lock:
      if self._closed or name in self._writers:
        raise ValueError(f'{name!r} must be made once, before the end.')
      dtype = np.dtype(dtype).name
      fault = schema.shape_fault(
        name, shape, dtype, rows=self.num_examples, classes=self.num_classes
      )
      if fault:
        raise errors.DataError(f'{self._what(name)} {fault}.')
      layout = arrays.Layout.of(shape, dtype)
      make = arrays.create if self._primary else arrays.assume
      with self._reported(name):
        array = make(self._folder / name, layout)
      self._writers[name] = ChunkWriter(array, layout)

  def write(self, name: str, start: int, values: Any) -> None:
    """Writes rows `[start, start + len(values))`, in any order, each once.

    The values are copied, and written in the background.

    Raises:
      DataError: shape or dtype is wrong, a class is out of range, a row was
        written before, or an earlier write failed.
    """
    with self._lock:
      if self._closed or name not in self._writers:
        raise ValueError(f'{name!r} must be made first, and not be finished.')
      writer = self._writers[name]
      values = self._checked(name, values, writer.layout)
      stop = start + len(values)
      if not 0 <= start <= stop <= self.num_examples:
        raise ValueError(
          f'Rows must be within [0, {self.num_examples}), got '
          f'[{start}, {stop}).'
        )
      again = writer.written[start:stop]
      if again.any():
        raise errors.DataError(
          f'{self._what(name)} must have each row written once, got row '
          f'{start + int(np.argmax(again))} again.'
        )
      with self._reported(name):
        writer.write(start, values)

  def flush(self) -> None:
    """Waits until all rows written so far are on disk.

    Raises:
      DataError: a write failed.
    """
    with self._lock:
      for name, writer in self._writers.items():
        with self._reported(name):
          writer.flush()
        if not self._primary:
          rows.save(self._folder, name, self._name, writer.written)

  def finish(self, record: dict[str, Any]) -> dict[str, Any]:
    """Reads everything back, writes record.json, and publishes the record.

    Args:
      record: fields for record.json beside those that the writer adds itself
        (shapes, checksums, `ids_hash`, `num_examples`, ...).

    Returns:
      The record as stored; on a process that is not primary, `record` itself.

    Raises:
      DataError: a row is missing or was written by two processes; the data
        read back are faulty; or there is a record by now, and not `replace`.
    """
    files.canonical_json(record)  # Fails before everything is read back.
    self.flush()
    if not self._primary:
      self._closed = True
      return record
    sealed = records.seal(self._complete(record))
    with arrays.reported(f'{self._final} must be writable', files.ADVICE):
      files.write_text(self._folder / schema.RECORD, records.text(sealed))
      folders.publish(self._folder, self._final, replace=self._replace)
    self._closed = True
    return sealed

  def abort(self) -> None:
    """Drops the written data; does nothing after `finish`."""
    with self._lock:
      if self._closed:
        return
      self._closed = True
      for writer in self._writers.values():
        writer.abandon()
      if self._primary:
        folders.remove(self._folder)

  def _checked(
    self, name: str, values: Any, layout: arrays.Layout
  ) -> np.ndarray:
    given = np.asarray(values)
    fits = given.dtype == layout.dtype or np.can_cast(
      given.dtype, layout.dtype, 'same_kind'
    )
    if not fits or given.ndim == 0 or given.shape[1:] != layout.shape[1:]:
      raise errors.DataError(
        f'{self._what(name)} must have rows of {layout.dtype} and shape '
        f'{list(layout.shape[1:])}, got {given.dtype} '
        f'{list(given.shape[1:])}.'
      )
    if name == 'predicted':
      inside = (given >= 0) & (given < self.num_classes)
      outside = ~inside & (given != schema.NO_CLASS)
      if outside.any():
        raise errors.DataError(
          f'{self._what(name)} must be in [0, {self.num_classes}), the number '
          f'of classes, got {given[outside][0]}.'
        )
    return given.astype(layout.dtype, copy=False)

  def _complete(self, record: dict[str, Any]) -> dict[str, Any]:
    if not self._writers:
      raise ValueError('A record must have an array at least.')
    known = self._identity | {
      'num_examples': self.num_examples,
      'num_classes': self.num_classes,
      'ids_hash': self.ids_hash,
    }
    for key in known.keys() & record.keys():
      if record[key] != known[key]:
        raise ValueError(f'{key} is {known[key]!r}, got {record[key]!r}.')
    entries = {}
    for name, writer in self._writers.items():
      counts = rows.counts(self._folder, name, writer.written)
      rows.check_rows(self._what(name), counts)
      with self._reported(name):
        entries[name] = arrays.describe(self._folder / name, writer.layout)
    folders.remove(self._folder / rows.FOLDER)
    non_finite = sum(entry['non_finite'] for entry in entries.values())
    return known | record | {'arrays': entries, 'non_finite': non_finite}

  def _what(self, name: str) -> str:
    who = '{model!r} over {dataset}/{split}'.format(**self._identity)
    return f'{name} of model {who}'

  def _reported(self, name: str) -> contextlib.AbstractContextManager[None]:
    rule = f'{self._what(name)} must be writable'
    return arrays.reported(rule, files.ADVICE)

  def __enter__(self) -> 'RecordWriter':
    return self

  def __exit__(
    self,
    kind: type[BaseException] | None,
    error: BaseException | None,
    traceback: TracebackType | None,
  ) -> None:
    self.abort()

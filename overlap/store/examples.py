"""Examples of a split: ids and labels, in the order of all models' rows."""

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from etils import epath

from overlap.core import errors, files
from overlap.store import arrays, entries, folders, records, schema


@dataclasses.dataclass(frozen=True, eq=False)
class StoredExamples:
  """Examples of one split.

  Attributes:
    ids: unicode [M], unique.
    labels: int32 [M], each in `[0, len(class_names))`.
    class_names: names of the classes.
    ids_hash: hash of the ids in order, see `schema.ids_hash`.
    targets: int8 [M, C], 1 for classes in the image, 0 for others, -1 for
      classes to leave out; None if each example has one label.
  """

  ids: np.ndarray
  labels: np.ndarray
  class_names: tuple[str, ...]
  ids_hash: str
  targets: np.ndarray | None = None

  def __len__(self) -> int:
    return len(self.labels)


def write_examples(
  workdir: epath.PathLike,
  *,
  dataset: str,
  split: str,
  ids: Sequence[str] | np.ndarray,
  labels: Sequence[int] | np.ndarray,
  class_names: Sequence[str],
  targets: np.ndarray | None = None,
) -> str:
  """Stores a split's ids and labels; all models' rows follow their order.

  Does nothing if the same are already stored. If several processes write the
  same at once, one writes and the others compare.

  Args:
    workdir: local folder or gs:// path.
    dataset: name of the data set.
    split: name of the split.
    ids: text [M], unique and not empty.
    labels: integers [M], each in `[0, len(class_names))`.
    class_names: names of the classes.
    targets: int8 [M, C] of 1, 0 and -1 if images show several classes.

  Returns:
    The hash of the ids in order.

  Raises:
    DataError: ids or labels are invalid, or differ from those stored.
  """
  encoded = schema.encode_ids(ids)
  labels = _labels(labels, num_examples=len(encoded), classes=len(class_names))
  ids_hash = schema.encoded_ids_hash(encoded)
  record = {
    'dataset': dataset,
    'split': split,
    'num_examples': len(encoded),
    'num_classes': len(class_names),
    'class_names': [str(name) for name in class_names],
    'ids_hash': ids_hash,
  }
  final = schema.examples_folder(workdir, dataset, split)
  values = {'ids': encoded, 'labels': labels}
  if targets is not None:
    values['targets'] = _targets(targets, len(encoded), len(class_names))
  if not records.complete(final):
    try:
      _write(final, record, values)
    except errors.DataError:
      # Another process may have been faster; its data are compared below.
      if not records.complete(final):
        raise
  _agree(final, record, values)
  # Remains of killed runs; a process still writing finds the examples stored.
  folders.sweep(final, keep=final)
  return ids_hash


def _labels(labels, *, num_examples: int, classes: int) -> np.ndarray:
  labels = np.asarray(labels)
  if labels.shape != (num_examples,):
    raise errors.DataError(
      f'Labels must be one an id, got shape {list(labels.shape)} for '
      f'{num_examples} ids.'
    )
  if labels.size and labels.dtype.kind not in 'iu':
    raise errors.DataError(f'Labels must be integers, got {labels.dtype}.')
  outside = (labels < 0) | (labels >= classes)
  if outside.any():
    row = int(np.argmax(outside))
    raise errors.DataError(
      f'Labels must be in [0, {classes}), the number of classes, got '
      f'{labels[row]} in row {row}.'
    )
  return labels.astype(np.int32)


def _targets(targets, num_examples: int, classes: int) -> np.ndarray:
  targets = np.asarray(targets)
  if targets.shape != (num_examples, classes):
    raise errors.DataError(
      f'Targets must be [{num_examples}, {classes}], one an id and class, got '
      f'shape {list(targets.shape)}.'
    )
  if not np.isin(targets, (-1, 0, 1)).all():
    raise errors.DataError(
      'Targets must be 1 (shown), 0 (not shown) or -1 (left out), got others.'
    )
  return targets.astype(np.int8)


def _write(
  final: epath.Path, record: dict[str, Any], values: dict[str, np.ndarray]
) -> None:
  folder = files.aside(final)
  described = {}
  try:
    with arrays.reported(f'{final} must be writable', files.ADVICE):
      for name, value in values.items():
        layout = arrays.Layout.of(value.shape, value.dtype.name)
        arrays.create(folder / name, layout).write(value).result()
        described[name] = arrays.describe(folder / name, layout)
      sealed = records.seal(record | {'arrays': described})
      files.write_text(folder / schema.RECORD, records.text(sealed))
      folders.publish(folder, final, replace=False)
  finally:
    folders.remove(folder)


def _agree(
  final: epath.Path, record: dict[str, Any], values: dict[str, np.ndarray]
) -> None:
  stored = records.read_record(final)

  def same_array(name: str) -> bool:
    entry = stored['arrays'].get(name)
    if entry is None or name not in values:
      return entry is None and name not in values
    content = arrays.little_endian(values[name])
    return entry['sha256'] == hashlib.sha256(content).hexdigest()

  same = {
    'ids': stored['ids_hash'] == record['ids_hash'],
    'labels': same_array('labels'),
    'targets': same_array('targets'),
    'class names': stored['class_names'] == record['class_names'],
  }
  other = [what for what, equal in same.items() if not equal]
  if other:
    raise errors.DataError(
      f'{final} must hold the same examples, got other '
      f'{" and ".join(other)} ({record["num_examples"]} examples, and '
      f'{stored["num_examples"]} are stored): take another workdir or split '
      "name, or delete that split's folder."
    )


def read_record(
  workdir: epath.PathLike, dataset: str, split: str
) -> dict[str, Any]:
  """Reads the record of a split's examples.

  Raises:
    DataError: the record is missing or damaged.
  """
  folder = schema.examples_folder(workdir, dataset, split)
  if not records.complete(folder):
    raise errors.DataError(
      f'{folder} must hold the examples of {dataset}/{split}, and does not: '
      'write them first, with the stage predict or overlap ingest.'
    )
  record = records.read_record(folder)
  if (record.get('dataset'), record.get('split')) != (dataset, split):
    raise errors.DataError(
      f'{folder} must hold the examples of {dataset}/{split}, got those of '
      f'{record.get("dataset")}/{record.get("split")}: move the folder back.'
    )
  what = f'the examples of {dataset}/{split}'
  entries.check_entries(
    record,
    what,
    kinds=schema.EXAMPLE_ARRAYS,
    required=schema.EXAMPLE_ARRAYS.keys() - schema.OPTIONAL_EXAMPLE_ARRAYS,
  )
  names = record.get('class_names')
  if not isinstance(names, list) or len(names) != record['num_classes']:
    raise errors.DataError(
      f'The record of {what} must have class_names, one for each of its '
      f'{record["num_classes"]} classes: {records.AGAIN}.'
    )
  return record


def read_array(
  workdir: epath.PathLike, record: dict[str, Any], name: str
) -> np.ndarray:
  """Reads `ids` (as stored), `labels` or `targets` of a split's examples.

  Raises:
    DataError: the array is damaged.
  """
  where = f'{record["dataset"]}/{record["split"]}'
  folder = schema.examples_folder(workdir, record['dataset'], record['split'])
  entry = record['arrays'][name]
  layout = arrays.Layout.from_entry(entry)
  with arrays.reported(
    f'{name} of the examples of {where} must be readable', records.AGAIN
  ):
    array = arrays.open_array(folder / name, layout)
    return arrays.read_rows(
      array, layout, 0, layout.shape[0], crc32c=entry['crc32c']
    )


def read_examples(
  workdir: epath.PathLike, dataset: str, split: str
) -> StoredExamples:
  """Reads a split's examples.

  Raises:
    DataError: the examples are missing or damaged.
  """
  record = read_record(workdir, dataset, split)
  return StoredExamples(
    ids=schema.decode_ids(read_array(workdir, record, 'ids')),
    labels=read_array(workdir, record, 'labels'),
    class_names=tuple(record['class_names']),
    ids_hash=record['ids_hash'],
    targets=(
      read_array(workdir, record, 'targets')
      if 'targets' in record['arrays']
      else None
    ),
  )

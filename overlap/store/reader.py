"""Reads the store: its contents, and rows of its arrays."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from etils import epath

from overlap.core import errors, files, lookup, replaced
from overlap.store import arrays, entries, examples, records, schema
from overlap.store.examples import StoredExamples


class Store:
  """Predictions under a workdir; only complete records are visible."""

  def __init__(self, workdir: epath.PathLike):
    """Opens the store, which may be empty.

    Args:
      workdir: local folder or gs:// path.
    """
    self.workdir = epath.Path(workdir)

  def splits(self) -> list[tuple[str, str]]:
    """Returns all `(dataset, split)` whose examples are stored, sorted."""
    return sorted(
      (dataset, split)
      for dataset, folder in named_folders(schema.root(self.workdir))
      for split, inner in named_folders(folder)
      if records.complete(inner / schema.EXAMPLES)
    )

  def models(self, dataset: str, split: str) -> list[str]:
    """Returns the models with predictions over a split, sorted."""
    folder = schema.split_folder(self.workdir, dataset, split)
    return sorted(
      model
      for model, inner in named_folders(folder)
      if inner.name != schema.EXAMPLES and records.complete(inner)
    )

  def check_complete(self) -> None:
    """Checks that no folder has lost its record.json.

    Such a folder would be ignored as if it had never been written. On Cloud
    Storage it may be one that is being copied, and is not checked.

    Raises:
      DataError: a folder has lost its record.json.
    """
    if not arrays.is_local(self.workdir):
      return
    for dataset, folder in named_folders(schema.root(self.workdir)):
      for split, inner in named_folders(folder):
        for name, path in [
          (schema.EXAMPLES, inner / schema.EXAMPLES),
          *named_folders(inner),
        ]:
          if not records.complete(path):
            raise errors.DataError(
              f'{path} must hold a {schema.RECORD}, and does not: delete the '
              f'folder and predict or ingest {name!r} over {dataset}/{split} '
              'again.'
            )

  def examples(self, dataset: str, split: str) -> StoredExamples:
    """Returns the ids and labels of a split, in the order of all rows.

    Raises:
      DataError: the examples are missing or damaged.
    """
    return examples.read_examples(self.workdir, dataset, split)

  def record(
    self, dataset: str, split: str, model: str
  ) -> dict[str, Any] | None:
    """Returns the record.json of a model's predictions, or None if absent.

    Raises:
      DataError: the record is damaged, or about examples other than those
        stored.
    """
    folder = schema.model_folder(self.workdir, dataset, split, model)
    if not records.complete(folder):
      return None
    record = records.read_record(folder)
    expected = {'model': model, 'dataset': dataset, 'split': split}
    expected['ids_hash'] = examples.read_record(self.workdir, dataset, split)[
      'ids_hash'
    ]
    for key, value in expected.items():
      if record.get(key) != value:
        raise errors.DataError(
          f'{folder / schema.RECORD} must have {key} {value!r}, got '
          f'{record.get(key)!r}: {records.AGAIN}.'
        )
    what = f'model {model!r} over {dataset}/{split}'
    entries.check_entries(record, what, kinds=schema.MODEL_ARRAYS)
    return record

  def read(
    self,
    dataset: str,
    split: str,
    model: str,
    name: str = 'logits',
    start: int = 0,
    stop: int | None = None,
  ) -> np.ndarray:
    """Reads rows `[start, stop)` of a model's array.

    Each chunk is checked against its checksum in record.json, so that values
    of another model or of other rows are never returned. All rows belong to
    the same record, even if it is being replaced.

    Args:
      dataset: name of the data set.
      split: name of the split.
      model: name of the model.
      name: 'logits' [M, C], 'features' [M, D], 'predicted' [M] or
        'confidence' [M].
      start: first row.
      stop: row after the last; None for all.

    Raises:
      DataError: the array is missing, damaged or incomplete.
    """
    folder = schema.model_folder(self.workdir, dataset, split, model)
    return replaced.read_unreplaced(
      lambda: self._read(dataset, split, model, name, start, stop),
      lambda: records.raw(folder),
      f'{name} of model {model!r} over {dataset}/{split}',
    )

  def _read(
    self,
    dataset: str,
    split: str,
    model: str,
    name: str,
    start: int,
    stop: int | None,
  ) -> np.ndarray:
    record = self.record(dataset, split, model)
    where = f'{dataset}/{split}'
    if record is None:
      names = self.models(dataset, split)
      raise errors.DataError(
        f'No predictions of model {model!r} over {where} are stored under '
        f'{self.workdir}. {lookup.nearest(model, names)}There are '
        f'{", ".join(names) or "none"}.'
      )
    if name not in record['arrays']:
      raise errors.DataError(
        f'Model {model!r} has no {name} over {where}; it has '
        f'{", ".join(record["arrays"])}.'
      )
    entry = record['arrays'][name]
    layout = arrays.Layout.from_entry(entry)
    stop = layout.shape[0] if stop is None else stop
    if not 0 <= start <= stop <= layout.shape[0]:
      raise ValueError(
        f'Rows must be within [0, {layout.shape[0]}), got [{start}, {stop}).'
      )
    folder = schema.model_folder(self.workdir, dataset, split, model)
    rule = f'{name} of model {model!r} over {where} must be readable'
    with arrays.reported(rule, records.AGAIN):
      array = arrays.open_array(folder / name, layout)
      return arrays.read_rows(
        array, layout, start, stop, crc32c=entry['crc32c']
      )


def named_folders(folder: epath.Path) -> Iterator[tuple[str, epath.Path]]:
  """Yields the names and paths of the subfolders; none if `folder` is absent.

  Hidden folders, which are being written, are left out.
  """
  for path in folder.iterdir() if folder.is_dir() else ():
    if not path.name.startswith('.') and path.is_dir():
      yield files.decode_name(path.name), path

"""Reads the store: what there is, and rows of it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from etils import epath

from overlap import errors, files, lookup, replaced
from overlap.store import arrays, entries, examples, records, schema
from overlap.store.examples import StoredExamples


class Store:
  """The predictions under a workdir; only complete records are seen."""

  def __init__(self, workdir: epath.PathLike):
    """Opens the store; there need not be anything yet.

    Args:
      workdir: local folder or gs:// path.
    """
    self.workdir = epath.Path(workdir)

  def splits(self) -> list[tuple[str, str]]:
    """All `(dataset, split)` whose examples are stored, sorted."""
    return sorted(
      (dataset, split)
      for dataset, folder in named_folders(schema.root(self.workdir))
      for split, inner in named_folders(folder)
      if records.complete(inner / schema.EXAMPLES)
    )

  def models(self, dataset: str, split: str) -> list[str]:
    """The models that have predictions over a split, sorted."""
    folder = schema.split_folder(self.workdir, dataset, split)
    return sorted(
      model
      for model, inner in named_folders(folder)
      if inner.name != schema.EXAMPLES and records.complete(inner)
    )

  def check_complete(self) -> None:
    """Looks for folders that have lost the file which makes them a record.

    They would be passed over as if they had never been. In cloud storage such
    a folder may be one that is just being copied, and is left alone.

    Raises:
      DataError: there is one.
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
    """The ids and labels of a split, in the order of all rows.

    Raises:
      DataError: they are absent or damaged.
    """
    return examples.read_examples(self.workdir, dataset, split)

  def record(
    self, dataset: str, split: str, model: str
  ) -> dict[str, Any] | None:
    """Returns the record.json of a model's predictions; None without them.

    Raises:
      DataError: it is damaged, or about other examples than those stored.
    """
    folder = schema.model_folder(self.workdir, dataset, split, model)
    if not records.complete(folder):
      return None
    record = records.read(folder)
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
    entries.check(record, what, kinds=schema.MODEL_ARRAYS)
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

    Each chunk that is read is compared with its checksum in record.json, so
    that values of another model or of other rows are never returned. All rows
    are of one record, even where it is being replaced by another.

    Args:
      dataset: name of the data set.
      split: name of the split.
      model: name of the model.
      name: 'logits' [M, C], 'features' [M, D], 'predicted' [M] or
        'confidence' [M].
      start: first row.
      stop: the row after the last; None for all.

    Raises:
      DataError: the model has no such array; it is damaged or incomplete.
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
      return arrays.read(array, layout, start, stop, crc32c=entry['crc32c'])


def named_folders(folder: epath.Path) -> Iterator[tuple[str, epath.Path]]:
  """Yields the names and paths of the folders within; none if it is absent.

  Hidden ones are what is being written, and are left out.
  """
  for path in folder.iterdir() if folder.is_dir() else ():
    if not path.name.startswith('.') and path.is_dir():
      yield files.decode_name(path.name), path

"""The examples that predictions are of: those stored, or those to be made."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from etils import epath

from overlap import store
from overlap.core import errors, wording
from overlap.core.natural_order import describe_order
from overlap.ingest import align, classes, identify
from overlap.ingest import source as source_lib
from overlap.ingest.beside import Labels
from overlap.ingest.source import Source

# What becomes of examples without a label.
REFUSE, DROP = 'refuse', 'drop'


@dataclasses.dataclass(frozen=True, eq=False)
class Examples:
  """A split's examples.

  Attributes:
    ids: text `[examples]`.
    labels: int64 `[examples]`.
    class_names: `[classes]`.
    stored: whether they are in the store already.
    notes: what was guessed about them, one line each.
  """

  ids: np.ndarray
  labels: np.ndarray
  class_names: Sequence[str]
  stored: bool
  notes: Sequence[str] = ()


def find(workdir: epath.PathLike, dataset: str, split: str) -> Examples | None:
  """The stored examples; None where there are none."""
  reader = store.Store(workdir)
  if (dataset, split) not in reader.splits():
    return None
  found = reader.examples(dataset, split)
  return Examples(found.ids, found.labels, found.class_names, stored=True)


def make_examples(
  source: Source,
  what: str,
  *,
  labels: Labels | None,
  class_names: Sequence[str] | None,
  missing: str = REFUSE,
) -> Examples:
  """Examples after a file of predictions and what was given with it.

  Args:
    source: the predictions, with their ids.
    what: the file, for error texts.
    labels: given beside the file, or None.
    class_names: given beside the file, or None.
    missing: whether rows without a label are refused (`REFUSE`) or left out
      (`DROP`).

  Raises:
    DataError: there are no labels, or they don't fit.
  """
  given = _labels_of(source, what, labels, missing)
  if given is None:
    raise errors.DataError(
      f'{what} needs labels, for the store has no examples of the data set '
      'yet: give --labels, or a column label in the file.'
    )
  names = class_names or source.class_names
  keep = given.present(names, missing)
  values = classes.settled(given.values[keep])
  notes = list(given.notes)
  if names is None:
    names = classes.names_of(
      values, source.classes, given.what, given.rows[keep]
    )
    if values.dtype.kind == 'U':
      notes.append(
        f'classes in the order of their names, {describe_order(names)}; '
        '--class_names gives another'
      )
  ids = source.ids
  if ids is None and labels is not None:
    ids = labels.ids
  ids = identify.numbered(len(values)) if ids is None else ids[keep]
  return Examples(
    align.composed(source_lib.text(ids, f'ids of {what}')),
    classes.indices(values, names, given.what, given.rows[keep]),
    tuple(names),
    stored=False,
    notes=notes,
  )


class Placed(NamedTuple):
  """Example of each row.

  Attributes:
    keep: bool `[rows]`, which rows are of any.
    places: int64 `[kept rows]`.
    aligned_by: `align.BY_ID` or `align.BY_ROW`.
    notes: what was guessed, one line each.
  """

  keep: np.ndarray
  places: np.ndarray
  aligned_by: str
  notes: Sequence[str]


def place(
  source: Source,
  what: str,
  examples: Examples,
  labels: Labels | None,
  missing: str = REFUSE,
) -> Placed:
  """Finds the example of each row; checks the labels that came with it.

  Args:
    source: the predictions, with their ids.
    what: the file, for error texts.
    examples: those of the data set.
    labels: given beside the file, or None.
    missing: rule for missing labels, see `make`.

  Raises:
    DataError: other ids, another number of rows, or other labels.
  """
  given = _labels_of(source, what, labels, missing)
  keep = np.ones(source.rows, bool)
  notes = []
  if given is not None:
    keep = given.present(examples.class_names, missing)
  ids, aligned_by = source.ids, align.BY_ID
  if ids is None:
    aligned_by = align.BY_ROW
    if labels is not None and labels.ids is not None:
      # The labels' file has the predictions' order, and says which it is.
      ids = labels.ids
  if ids is None:
    places = align.by_row(int(keep.sum()), len(examples.ids), what)
  else:
    located = align.by_id(ids[keep], examples.ids, what, extra=missing == DROP)
    places = located.places
    keep[keep] = places >= 0
    places = places[places >= 0]
    notes += [located.note] if located.note else []
  if not keep.all():
    count = int(np.count_nonzero(~keep))
    notes.append(
      f'{wording.counted(count, "row")} of {len(keep)} left out, for the data '
      f'set has no label of the example, the first row {int(np.argmin(keep))}'
    )
  if given is not None:
    _check_labels(given, keep, examples, places)
  return Placed(keep, places, aligned_by, notes)


def _check_labels(
  given: '_RowLabels', keep: np.ndarray, examples: Examples, places: np.ndarray
) -> None:
  """Raises DataError unless the labels are those of the data set."""
  values = classes.settled(given.values[keep])
  rows = given.rows[keep]
  got = classes.indices(values, examples.class_names, given.what, rows)
  wrong = np.flatnonzero(got != examples.labels[places])
  if len(wrong):
    first = wrong[0]
    raise errors.DataError(
      f'{given.what} must be the labels of the data set, got others in '
      f'{len(wrong)} of {len(got)} rows, the first in row {rows[first]}: '
      f'{got[first]}, and {examples.labels[places][first]} is stored.'
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _RowLabels:
  """The labels of the rows of a file of predictions.

  Attributes:
    values: `[rows]`, from `source.classes_or_names`.
    rows: int64 `[rows]`, in which row of their file they are.
    what: what they are, for error texts.
    notes: what was guessed, one line each.
  """

  values: np.ndarray
  rows: np.ndarray
  what: str
  notes: Sequence[str] = ()

  def present(self, names: Sequence[str] | None, missing: str) -> np.ndarray:
    """Returns which rows have a label, bool `[rows]`.

    Raises:
      DataError: one has none, and `missing` is `REFUSE`; none has one.
    """
    gaps = classes.missing(self.values, names)
    row = int(np.argmax(gaps))
    if gaps.any() and missing == REFUSE:
      raise errors.DataError(
        f'{self.what} must be there in every row, got '
        f'{str(self.values[row])!r} in row {self.rows[row]} and '
        f'{gaps.sum() - 1} more: --missing=drop leaves such examples out; '
        '--class_names may name a class so.'
      )
    if gaps.all():
      raise errors.DataError(f'{self.what} must be there, got none at all.')
    return ~gaps


def _labels_of(
  source: Source, what: str, labels: Labels | None, missing: str
) -> _RowLabels | None:
  """The labels in the order of the file's rows."""
  rows = np.arange(source.rows)
  if labels is None:
    if source.labels is None:
      return None
    return _RowLabels(source.labels, rows, f'labels of {what}')
  told = f'labels of {labels.path}'
  if source.ids is not None:
    labels = _by_content(labels, source.ids)
  if source.ids is None or labels.ids is None:
    if len(labels.labels) != source.rows:
      raise errors.DataError(
        f'--labels must have one for each of the {source.rows} rows of {what}, '
        f'got {len(labels.labels)}.'
      )
    return _RowLabels(labels.labels, rows, told)
  _unique(labels.ids)
  places = align.locate(source.ids, labels.ids).places
  unknown = places < 0
  if unknown.any() and missing == REFUSE:
    row = int(np.argmax(unknown))
    raise errors.DataError(
      f'--labels must have each id of {what}, and lacks '
      f'{np.count_nonzero(unknown)} of {source.rows}, the first '
      f'{str(source.ids[row])!r} in row {row}: --missing=drop leaves out what '
      'has no label.'
    )
  values = labels.labels[places]
  if unknown.any():
    values = np.where(unknown, '', values.astype(np.str_))
  rest = len(labels.ids) - len(np.unique(places[~unknown]))
  note = (
    f'{rest} of the {len(labels.ids)} examples of {labels.path} have no '
    'prediction here and are left out'
  )
  return _RowLabels(values, places, told, [note] if rest else [])


def _by_content(labels: Labels, ids: np.ndarray) -> Labels:
  """The labels with the column as ids that holds those of the predictions."""
  columns = [] if labels.ids is None else [labels.ids]
  for values in (*columns, *labels.columns.values()):
    if (align.locate(ids, values).places >= 0).all():
      return labels._replace(ids=values)
  return labels


def _unique(ids: np.ndarray) -> None:
  unique, counts = np.unique(ids, return_counts=True)
  if (counts > 1).any():
    raise errors.DataError(
      f'--labels must have each id once, got {(counts > 1).sum()} more often, '
      f'among them {str(unique[counts > 1][0])!r}.'
    )

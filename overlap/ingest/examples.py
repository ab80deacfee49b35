"""The examples that predictions are of: those stored, or those to be made."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from etils import epath

from overlap import errors, store
from overlap.ingest import align, classes
from overlap.ingest import source as source_lib
from overlap.ingest.beside import Labels
from overlap.ingest.source import Source


@dataclasses.dataclass(frozen=True, eq=False)
class Examples:
  """A split's examples.

  Attributes:
    ids: text `[examples]`.
    labels: int64 `[examples]`.
    class_names: `[classes]`.
    stored: whether they are in the store already.
  """

  ids: np.ndarray
  labels: np.ndarray
  class_names: Sequence[str]
  stored: bool


def find(workdir: epath.PathLike, dataset: str, split: str) -> Examples | None:
  """The stored examples; None where there are none."""
  reader = store.Store(workdir)
  if (dataset, split) not in reader.splits():
    return None
  found = reader.examples(dataset, split)
  return Examples(found.ids, found.labels, found.class_names, stored=True)


def make(
  source: Source,
  what: str,
  *,
  labels: Labels | None,
  class_names: Sequence[str] | None,
) -> Examples:
  """Examples after a file of predictions and what was given with it.

  Args:
    source: the predictions, with the ids that --ids gave.
    what: the file, for error texts.
    labels: given beside the file, or None.
    class_names: given beside the file, or None.

  Raises:
    DataError: there are no labels, or they don't fit.
  """
  given = _labels_of(source, what, labels)
  if given is None:
    raise errors.DataError(
      f'{what} needs labels, for the store has no examples of the data set '
      'yet: give --labels, or a column label in the file.'
    )
  names = _names(source, what, given, class_names)
  ids = source.ids
  if ids is None and labels is not None:
    ids = labels.ids
  if ids is None:
    ids = np.array([f'{row:07d}' for row in range(source.rows)], np.str_)
  return Examples(
    source_lib.text(ids, f'ids of {what}'),
    classes.indices(given, names, f'labels of {what}'),
    names,
    stored=False,
  )


def place(
  source: Source, what: str, examples: Examples, labels: Labels | None
) -> tuple[np.ndarray, str]:
  """Which example each row is; checks the labels that came with it.

  Returns:
    int64 `[rows]`, and whether they are aligned by id or by row order.

  Raises:
    DataError: other ids, another number of rows, or other labels.
  """
  ids, by = source.ids, align.BY_ID
  if ids is None:
    by = align.BY_ROW
    if labels is not None and labels.ids is not None:
      # The labels' file has the predictions' order, and says which it is.
      align.by_row(source.rows, len(labels.ids), what)
      ids = labels.ids
  if ids is None:
    places = align.by_row(source.rows, len(examples.ids), what)
  else:
    places = align.by_id(ids, examples.ids, what)
  given = _labels_of(source, what, labels)
  if given is not None:
    got = classes.indices(given, examples.class_names, f'labels of {what}')
    wrong = np.flatnonzero(got != examples.labels[places])
    if len(wrong):
      row = wrong[0]
      raise errors.DataError(
        f'{what} must have the labels of the data set, got others in '
        f'{len(wrong)} of {len(got)} rows, the first in row {row}: '
        f'{got[row]}, and {examples.labels[places][row]} is stored.'
      )
  return places, by


def _labels_of(
  source: Source, what: str, labels: Labels | None
) -> np.ndarray | None:
  """The labels in the order of the file's rows."""
  if labels is None:
    return source.labels
  if source.ids is not None and labels.ids is not None:
    _unique(labels.ids)
    places = align.by_id(source.ids, labels.ids, what)
    return labels.labels[places]
  if len(labels.labels) != source.rows:
    raise errors.DataError(
      f'--labels must have one for each of the {source.rows} rows of {what}, '
      f'got {len(labels.labels)}.'
    )
  return labels.labels


def _unique(ids: np.ndarray) -> None:
  unique, counts = np.unique(ids, return_counts=True)
  if (counts > 1).any():
    raise errors.DataError(
      f'--labels must have each id once, got {(counts > 1).sum()} more often, '
      f'among them {str(unique[counts > 1][0])!r}.'
    )


def _names(
  source: Source, what: str, labels: np.ndarray, given: Sequence[str] | None
) -> Sequence[str]:
  names = given or source.class_names
  if names is not None:
    return names
  return tuple(classes.names_of(labels, source.classes, f'labels of {what}'))

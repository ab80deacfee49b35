"""One file of predictions, read and made to fit the examples of a split."""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np
from etils import epath

from overlap.core import errors
from overlap.ingest import (
  beside,
  classes,
  convert,
  examples,
  formats,
  identify,
)
from overlap.ingest import source as source_lib
from overlap.ingest import zeros as zeros_lib
from overlap.ingest.examples import Examples
from overlap.ingest.source import Source
from overlap.ingest.zeros import Zeros
from overlap.store import schema

_LOGARITHMS = (
  'logits that are logarithms of probabilities, some of them of 0, are taken '
  'as log_probs; --kind=logits rules out the classes of 0'
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
  """Request to ingest, and what the files do not say.

  Attributes:
    workdir: local folder or gs:// path, of the store.
    dataset: name of the data set.
    split: name of the split.
    predictions: a file, a folder or a pattern.
    model: the model's name; '': that of each file, without its extension.
    labels: a file, needed where the split is new and the predictions have
      none; see `beside.read_labels`.
    ids: a file, where the predictions have none; see `beside.read_ids`.
    class_names: a file, of use where the split is new.
    format: a key of `formats.FORMATS`; '': by the extension.
    condition: names of conditions with commas between, of files that have
      several; '' for all.
    only: the rows to take of a file that holds several models or conditions;
      None for all rows.
    kind: one of `source.KINDS`, of arrays that don't say it; '': logits.
    category: relative to the base, one of the paper's, or ''.
    method: how the model was trained, for the tables.
    head: how its head was made, for the tables.
    replace: whether predictions that are there give way.
    allow_nan: whether logits may be NaN or infinite.
    missing: `examples.REFUSE` or `examples.DROP` rows without a label.
    by_order: whether rows are in the order of the data set where its examples
      have ids and the file has none.
    wait: whether to wait for another run that makes one of the models.
  """

  workdir: epath.PathLike
  dataset: str
  split: str
  predictions: str
  model: str = ''
  labels: str = ''
  ids: str = ''
  class_names: str = ''
  format: str = ''
  condition: str = ''
  only: source_lib.Only | None = None
  kind: str = ''
  category: str = ''
  method: str = ''
  head: str = ''
  replace: bool = False
  allow_nan: bool = False
  missing: str = examples.REFUSE
  by_order: bool = False
  wait: bool = True


@dataclasses.dataclass(frozen=True)
class Prepared:
  """A source that fits the examples.

  Attributes:
    kind: one of `source.KINDS`.
    places: int64 `[rows]`, which example each row is; without the rows that
      are left out, as all that follows.
    aligned_by: `align.BY_ID` or `align.BY_ROW`.
    arrays: `predicted` and perhaps `confidence`; empty for scores.
    logits: reads and checks the logits, block by block; None for classes.
    notes: what was guessed or decided, in words, one line each.
    doubts: what is odd about the numbers, one line each.
  """

  kind: str
  places: np.ndarray
  aligned_by: str
  arrays: dict[str, np.ndarray]
  logits: Callable[[], source_lib.Blocks] | None
  notes: tuple[str, ...] = ()
  doubts: tuple[str, ...] = ()


def read_source(
  request: Request,
  path: str,
  ids: np.ndarray | None,
  known: Examples | None,
  labels: beside.Labels | None,
) -> Source:
  """Reads a file, with its ids, wherever they are.

  Args:
    request: request; its `format`, `missing` and `by_order` apply.
    path: the file.
    ids: given beside the file, or None.
    known: the examples, None where the data set is new.
    labels: given beside the file, or None.

  Raises:
    UsageError: both the file and --ids give ids.
    DataError: the file is damaged or empty, its parts differ in length, or
      nothing in it says of which examples it is.
  """
  source = formats.read_predictions(path, request.format)
  if request.only is not None:
    source = source_lib.select(source, request.only)
  if not source.rows:
    raise errors.DataError(f'{path} must hold predictions, got no rows.')
  for name in ('ids', 'labels', 'confidence'):
    values = getattr(source, name)
    if values is not None and len(values) != source.rows:
      raise errors.DataError(
        f'{name} of {path} must be one for each of its {source.rows} rows, got '
        f'{len(values)}.'
      )
  if ids is None:
    return _identified(request, source, path, known, labels)
  if source.ids is not None:
    raise errors.UsageError(
      f'--ids must be given only for predictions without ids, and {path} has '
      'some.'
    )
  if len(ids) != source.rows:
    raise errors.DataError(
      f'--ids must have one for each of the {source.rows} rows of {path}, got '
      f'{len(ids)}.'
    )
  identify.check_agree(source, path, ids)
  return dataclasses.replace(source, ids=ids)


def _identified(
  request: Request,
  source: Source,
  path: str,
  known: Examples | None,
  labels: beside.Labels | None,
) -> Source:
  """The source with its ids, whatever the column is called."""
  if known is not None and identify.are_numbered(known.ids):
    return identify.by_number(source, path, by_order=request.by_order)
  if known is not None:
    stored, whose = known.ids, 'the data set'
  elif labels is not None and labels.ids is not None:
    stored, whose = labels.ids, labels.path
  else:
    return identify.by_usual_name(source)
  return identify.by_content(
    source,
    path,
    stored,
    whose=whose,
    every=known is not None,
    extra=request.missing == examples.DROP,
    by_order=request.by_order,
  )


def prepare(
  request: Request,
  source: Source,
  path: str,
  known: Examples,
  labels: beside.Labels | None,
) -> Prepared:
  """Makes a source fit the examples.

  Args:
    request: request; its `kind`, `allow_nan` and `missing` apply.
    source: from `read`.
    path: the file, for error texts.
    known: the examples.
    labels: given beside the file, or None; compared with those of `known`.

  Raises:
    UsageError: the kind isn't the file's, or can't be told.
    DataError: other ids, labels or classes than the examples have.
  """
  placed = examples.place(source, path, known, labels, request.missing)
  keep, places, aligned_by = placed.keep, placed.places, placed.aligned_by
  notes = (*source.notes, *placed.notes)
  count = len(known.class_names)
  kind = _kind(request, source, path)
  if kind == source_lib.LOGITS and not request.kind and _like_logs(source):
    kind = source_lib.LOG_PROBS
    notes += (_LOGARITHMS,)
  _check_class_names(source, path, known)
  if source.blocks is None:
    arrays = {
      'predicted': predicted_classes(source, path, known.class_names, keep)
    }
    if source.confidence is not None:
      arrays['confidence'] = source.confidence[keep]
    return Prepared(kind, places, aligned_by, arrays, None, notes)
  if source.classes != count:
    hint = '' if known.stored else '; --class_names names all classes'
    if source.classes == count + 1:
      hint += ': the first may be a background class, as TensorFlow has'
    raise errors.DataError(
      f'{path} must have a score for each of the {count} classes of the data '
      f'set, got {source.classes}{hint}.'
    )
  zeros = _survey(source, kind)
  if zeros is not None and (said := zeros_lib.describe(zeros)):
    notes += (said,)
  if zeros is not None and zeros.one_hot:
    arrays = {'predicted': _highest(source)[keep]}
    return Prepared(source_lib.CLASSES, places, aligned_by, arrays, None, notes)
  converted = functools.partial(
    _converted, source, kind, path, request.allow_nan, zeros, keep
  )
  doubts: tuple[str, ...] = ()
  if kind == source_lib.LOGITS != request.kind and _like_probabilities(source):
    doubts = (
      'the rows of these logits are probabilities by their looks: if they are, '
      'call them probs; --kind=logits says that they are none',
    )
  return Prepared(kind, places, aligned_by, {}, converted, notes, doubts)


def predicted_classes(
  source: Source, path: str, class_names: Sequence[str], keep: np.ndarray
) -> np.ndarray:
  """The classes that a file predicts.

  Args:
    source: classes, from `read`.
    path: the file, for error texts.
    class_names: `[classes]`.
    keep: bool `[rows]`, which rows are wanted.

  Returns:
    int32 `[kept rows]`, `schema.NO_CLASS` where there is no answer.

  Raises:
    DataError: one is none of the classes.
  """
  given = np.asarray(source.predicted)
  answered = keep if source.answered is None else keep & source.answered
  result = np.full(len(given), schema.NO_CLASS, np.int32)
  result[answered] = classes.indices(
    classes.settled(given[answered]),
    class_names,
    f'classes of {path}',
    np.flatnonzero(answered),
  )
  return result[keep]


def _check_class_names(source: Source, path: str, known: Examples) -> None:
  """Raises DataError where an index would mean another class than stored."""
  own, stored = source.class_names, known.class_names
  by_name = source.predicted is not None and source.predicted.dtype.kind != 'i'
  if own is None or by_name:
    return
  if len(own) != len(stored):
    raise errors.DataError(
      f'{path} must have the {len(stored)} classes of the data set, got '
      f'{len(own)}.'
    )
  numbers = [str(index) for index in range(len(own))]
  if numbers in (list(own), list(stored)):  # Classes without names.
    return
  other = [i for i, (a, b) in enumerate(zip(own, stored)) if a != b]
  if other:
    raise errors.DataError(
      f'{path} must have the classes of the data set in their order, got '
      f'{own[other[0]]!r} where {stored[other[0]]!r} is, class {other[0]}, and '
      f'{len(other) - 1} more.'
    )


def _survey(source: Source, kind: str) -> Zeros | None:
  """Returns what the zeros of probabilities stand for; None for logits."""
  if kind == source_lib.LOGITS:
    return None
  assert source.blocks is not None
  return zeros_lib.survey(
    source.blocks(), logarithms=kind == source_lib.LOG_PROBS
  )


def _highest(source: Source) -> np.ndarray:
  """The class with the highest score, int32 `[rows]`."""
  assert source.blocks is not None
  parts = [block.argmax(axis=1) for _, block in source.blocks()]
  return np.concatenate(parts).astype(np.int32)


def _converted(
  source: Source,
  kind: str,
  path: str,
  allow_nan: bool,
  zeros: Zeros | None,
  keep: np.ndarray,
) -> source_lib.Blocks:
  assert source.blocks is not None
  place = 0
  for start, block in convert.logits(
    source.blocks(),
    kind=kind,
    what=path,
    rows=source.rows,
    allow_nan=allow_nan,
    zeros=zeros,
  ):
    kept = block[keep[start : start + len(block)]]
    if len(kept):
      yield place, kept
    place += len(kept)


def _kind(request: Request, source: Source, path: str) -> str:
  """Returns the kind of the numbers: the file's, or else the request's."""
  if source.kind:
    if request.kind not in ('', source.kind):
      raise errors.UsageError(
        f'--kind must be what {path} says it holds, {source.kind}, or be left '
        f'out, got {request.kind!r}.'
      )
    return source.kind
  if request.kind == source_lib.CLASSES:
    raise errors.UsageError(
      f'--kind must be one of {", ".join(source_lib.KINDS[:3])} for {path}, '
      'which holds scores, got classes.'
    )
  if not request.kind and _like_probabilities(source):
    raise errors.UsageError(
      f'{path} holds rows that are probabilities by their looks: say '
      '--kind=probs, or --kind=logits if they are none.'
    )
  return request.kind or source_lib.LOGITS


def _like_logs(source: Source) -> bool:
  """Returns whether the first scores look like logarithms with zeros."""
  assert source.blocks is not None
  for _, block in source.blocks():
    return convert.rule_out_as_logarithms_do(block)
  return False


def _like_probabilities(source: Source) -> bool:
  """Returns whether the first rows are non-negative and sum to one."""
  assert source.blocks is not None
  first = next(iter(source.blocks()), None)
  return first is not None and convert.look_like_probabilities(first[1])

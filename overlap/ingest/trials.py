"""Files of trials: which models and conditions they hold, and in which splits.

Trials over several conditions are never pooled: a split of its own holds each,
SPLIT/CONDITION. Where all files together have one condition, or none, it is
SPLIT itself, unless SPLIT/CONDITION is there already.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from overlap import store
from overlap.core import errors, lookup, natural_order, wording
from overlap.ingest import align, formats
from overlap.ingest import source as source_lib
from overlap.ingest.prepare import Request
from overlap.ingest.source import Only, Source


def split_request(request: Request) -> list[Request]:
  """One request for each condition, model and file of trials.

  Files of another format are left to one request, the same.

  Raises:
    UsageError: a condition is asked for that no file has, or of files that
      have none; one name is given to several models.
    DataError: a file is at fault; a model is in several.
  """
  form = formats.FORMATS.get(request.format)
  if form is None or not form.has_trials:
    if request.condition:
      able = [name for name, f in formats.FORMATS.items() if f.has_trials]
      raise errors.UsageError(
        '--condition must be given only for files that have conditions '
        f'(--format={" or ".join(able)}), got {request.condition!r}.'
      )
    return [request]
  paths = formats.files(request.predictions, request.format)
  sources = {
    path: formats.read_predictions(path, request.format) for path in paths
  }
  for path, source in sources.items():
    if not source.rows:
      raise errors.DataError(f'{path} must hold predictions, got no rows.')
  places = _places(request, sources)
  names = _names(request, sources)
  for condition, _ in places:
    _check(sources, condition)
  return [
    dataclasses.replace(
      request,
      predictions=path,
      model=name,
      split=split,
      condition='',
      only=Only(observer, condition),
    )
    for condition, split in places
    for (path, observer), name in names.items()
    if source_lib.rows_of(sources[path], Only(observer, condition)).any()
  ]


def _places(
  request: Request, sources: Mapping[str, Source]
) -> list[tuple[str, str]]:
  """The conditions to take, '' for all rows, and the split of each."""
  found = set()
  for source in sources.values():
    found |= set(_distinct(source.conditions))
  known = natural_order.sort_naturally(found - {''})
  asked = [name for name in request.condition.split(',') if name]
  for name in asked:
    lookup.check_choice('condition (--condition)', name, known)
  stored = store.Store(request.workdir).splits()
  if not asked and len(known) <= 1:
    split = f'{request.split}/{known[0]}' if known else ''
    if (request.dataset, split) not in stored:
      return [('', request.split)]
  several = [path for path, source in sources.items() if _some_lack(source)]
  if several:
    raise errors.DataError(
      'Every trial must have a condition where others have, got '
      f'{wording.counted(len(several), "file")} with trials that have none, '
      f'among them {several[0]}.'
    )
  return [(name, f'{request.split}/{name}') for name in asked or known]


def _distinct(values: np.ndarray | None) -> list[str]:
  return sorted(set(np.asarray(values).tolist()))


def _some_lack(source: Source) -> bool:
  return bool((np.asarray(source.conditions) == '').any())


def _names(
  request: Request, sources: Mapping[str, Source]
) -> dict[tuple[str, str], str]:
  """The model's name for each file and observer: the observer's, or --model."""
  names = {
    (path, observer): observer
    for path, source in sources.items()
    for observer in _distinct(source.observers)
  }
  if request.model:
    if len(names) > 1:
      raise errors.UsageError(
        f'--model names one model, got trials of {len(names)} by '
        '--predictions: without --model each is called by its subj.'
      )
    return dict.fromkeys(names, request.model)
  where: dict[str, list[str]] = {}
  for path, observer in names:
    where.setdefault(observer, []).append(path)
  for observer, paths in where.items():
    if len(paths) > 1:
      raise errors.DataError(
        f'The trials of one subj must be in one file, got those of '
        f'{observer!r} in {paths[0]} and {paths[1]}.'
      )
  return names


def _check(sources: Mapping[str, Source], condition: str) -> None:
  """Checks the images of a condition before anything is stored.

  Raises:
    DataError: other images than those of the first model, or an image twice.
  """
  first: np.ndarray | None = None
  for path, source in sources.items():
    for observer in _distinct(source.observers):
      rows = source_lib.rows_of(source, Only(observer, condition))
      if not rows.any():
        continue
      ids = np.asarray(source.ids)[rows]
      if first is None:
        first = ids
        store.ids_hash(ids)
      align.by_id(ids, first, path)

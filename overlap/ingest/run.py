"""Brings predictions made elsewhere into the store."""

import collections
import dataclasses
import hashlib
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from absl import logging

from overlap import errors, lookup, store
from overlap.catalog import categories
from overlap.ingest import beside, examples, formats, prepare, write
from overlap.ingest import source as source_lib
from overlap.ingest.examples import Examples
from overlap.ingest.prepare import Request
from overlap.store import schema


def ingest(request: Request) -> list[dict[str, Any]]:
  """Stores predictions of one model or of many.

  Everything is checked before anything is written where the split is new or
  there are several files; where it isn't, a fault in the scores leaves the
  store without the model.

  Returns:
    The records, in the order of the files.

  Raises:
    UsageError: a field of the request has no such value.
    DataError: a file is at fault, or a model is there and not `replace`.
  """
  _check(request)
  jobs = _jobs(request)
  beside_files = _read_beside(request)
  known = examples.find(request.workdir, request.dataset, request.split)
  if known is None or len(jobs) > 1:
    for path in jobs.values():
      source = prepare.read(request, path, beside_files.ids)
      if known is None:
        known = examples.make(
          source,
          path,
          labels=beside_files.labels,
          class_names=beside_files.class_names,
        )
        # The rules of the store, before anything is in it.
        store.ids_hash(known.ids)
      prepared = prepare.prepare(
        request, source, path, known, beside_files.labels
      )
      for _ in prepared.logits() if prepared.logits else ():
        pass
  assert known is not None
  names = beside_files.class_names
  if names is not None and tuple(names) != tuple(known.class_names):
    raise errors.DataError(
      f'--class_names must be those of the data set, '
      f'{", ".join(known.class_names[:10])}, got {", ".join(names[:10])}.'
    )
  if not known.stored:
    store.write_examples(
      request.workdir,
      dataset=request.dataset,
      split=request.split,
      ids=known.ids,
      labels=known.labels,
      class_names=known.class_names,
    )
  return [
    _store(request, model, path, known, beside_files)
    for model, path in jobs.items()
  ]


@dataclasses.dataclass(frozen=True)
class _Beside:
  labels: beside.Labels | None
  ids: np.ndarray | None
  class_names: Sequence[str] | None


def _check(request: Request) -> None:
  for name in ('workdir', 'dataset', 'split', 'predictions'):
    if not str(getattr(request, name) or ''):
      raise errors.UsageError(f'--{name} must be given, got nothing.')
  if request.category:
    lookup.check(
      'category (--category)', request.category, categories.CATEGORIES
    )
  if request.kind:
    lookup.check('kind (--kind)', request.kind, source_lib.KINDS)


def _jobs(request: Request) -> dict[str, str]:
  """Models' names and their files."""
  paths = formats.files(request.predictions, request.format)
  if request.model:
    if len(paths) > 1:
      raise errors.UsageError(
        f'--model names one model, got {len(paths)} files by --predictions: '
        'without --model each gets the name of its file.'
      )
    jobs = {request.model: paths[0]}
  else:
    names = [formats.model_name(path, request.format) for path in paths]
    twice = [n for n, count in collections.Counter(names).items() if count > 1]
    if twice:
      raise errors.UsageError(
        f'--predictions must name each model once, got {len(twice)} names more '
        f'often, among them {twice[0]!r}.'
      )
    jobs = dict(zip(names, paths))
  for path in paths:
    formats.choose(path, request.format)
  for name in jobs:  # A name may be too long for a folder.
    schema.model_folder(request.workdir, request.dataset, request.split, name)
  reader = store.Store(request.workdir)
  stored = set(reader.models(request.dataset, request.split))
  there = [name for name in jobs if name in stored]
  if there and not request.replace:
    raise errors.DataError(
      f'{len(there)} of {len(jobs)} models must not be there yet, among them '
      f'{there[0]!r}, which has predictions on {request.dataset}/'
      f'{request.split}: --replace takes the new ones.'
    )
  return jobs


def _read_beside(request: Request) -> _Beside:
  return _Beside(
    beside.read_labels(request.labels) if request.labels else None,
    beside.read_ids(request.ids) if request.ids else None,
    beside.read_class_names(request.class_names)
    if request.class_names
    else None,
  )


def _store(
  request: Request, model: str, path: str, known: Examples, files: _Beside
) -> dict[str, Any]:
  source = prepare.read(request, path, files.ids)
  prepared = prepare.prepare(request, source, path, known, files.labels)
  record = {
    'source': 'ingest',
    'file': os.path.basename(path),
    'file_sha256': _sha256(path),
    'format': formats.choose(path, request.format),
    'kind': prepared.kind,
    'aligned_by': prepared.aligned_by,
    'category': request.category,
    'method': request.method,
    'head': request.head,
  }
  stored = write.write(
    request.workdir,
    dataset=request.dataset,
    split=request.split,
    model=model,
    replace=request.replace,
    arrays=prepared.arrays,
    logits=prepared.logits() if prepared.logits else None,
    places=prepared.places,
    record=record,
  )
  logging.info(
    'ingested %s: %s of %d examples, aligned by %s',
    model, prepared.kind, source.rows, prepared.aligned_by,
  )  # fmt: skip
  return stored


def _sha256(path: str) -> str:
  with open(path, 'rb') as f:
    return hashlib.file_digest(f, 'sha256').hexdigest()

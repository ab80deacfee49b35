"""Brings predictions made elsewhere into the store."""

import collections
import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from absl import logging

from overlap import store
from overlap.catalog import categories
from overlap.core import errors, files, locks, lookup
from overlap.ingest import (
  beside,
  examples,
  formats,
  neighbours,
  prepare,
  sanity,
  trials,
  write,
)
from overlap.ingest import source as source_lib
from overlap.ingest.examples import Examples
from overlap.ingest.prepare import Request

_WAYS = (examples.REFUSE, examples.DROP)


class Ingested(NamedTuple):
  """A model's record, and whether it was written now or there already."""

  record: Mapping[str, Any]
  new: bool


def ingest(request: Request) -> list[Ingested]:
  """Stores predictions of one model or of many, over one split or several.

  Everything is checked before anything is written where the split is new,
  there are several files, or a model is there already; where not, a fault in
  the scores leaves the store without the model. A model that has the very
  same predictions already stays as it is.

  Returns:
    What is stored now, in the order of the files.

  Raises:
    UsageError: a field of the request has no such value.
    DataError: a file is at fault; a model has other predictions already, and
      not `replace`; another run makes a model, and not `wait`.
  """
  _check(request)
  parts = trials.split_request(request)
  return [made for part in parts for made in _ingest_split(part)]


def _ingest_split(request: Request) -> list[Ingested]:
  """Stores predictions over one split."""
  jobs = _jobs(request)
  beside_files = _read_beside(request)
  known = examples.find(request.workdir, request.dataset, request.split)
  stored = _stored(request, jobs)
  others: list[str] = []
  if known is None or len(jobs) > 1 or stored:
    for model, path in jobs.items():
      source = prepare.read_source(
        request, path, beside_files.ids, known, beside_files.labels
      )
      if known is None:
        known = examples.make_examples(
          source,
          path,
          labels=beside_files.labels,
          class_names=beside_files.class_names,
          missing=request.missing,
        )
        # The rules of the store, before anything is in it.
        store.ids_hash(known.ids)
      prepared = prepare.prepare(
        request, source, path, known, beside_files.labels
      )
      if model in stored:
        tally = sanity.Tally(known.labels)
        others += _differences(request, model, prepared, stored[model], tally)
        stored[model]['accuracy'] = tally.accuracy
      else:
        for _ in prepared.logits() if prepared.logits else ():
          pass
  _refuse_others(request, others)
  assert known is not None
  names = beside_files.class_names
  if names is not None and tuple(names) != tuple(known.class_names):
    raise errors.DataError(
      f'--class_names must be those of the data set, '
      f'{", ".join(known.class_names[:10])}, got {", ".join(names[:10])}.'
    )
  new = [f'model/{name}' for name in jobs if name not in stored]
  with locks.workdir_lock(request.workdir, new, wait=request.wait):
    if not known.stored:
      store.write_examples(
        request.workdir,
        dataset=request.dataset,
        split=request.split,
        ids=known.ids,
        labels=known.labels,
        class_names=known.class_names,
      )
    # Another run may have stored a model while this one waited for it.
    late = _stored(
      request, {name: path for name, path in jobs.items() if name not in stored}
    )
    for model, record in late.items():
      prepared = _prepare(request, jobs[model], known, beside_files)
      tally = sanity.Tally(known.labels)
      _refuse_others(
        request, _differences(request, model, prepared, record, tally)
      )
      record['accuracy'] = tally.accuracy
    stored |= late
    made, notes = [], known.notes
    tallies = {}
    for model, path in jobs.items():
      if model in stored:
        made.append(Ingested(stored[model], new=False))
      else:
        tallies[model] = sanity.Tally(known.labels)
        record = _store(
          request, model, path, known, beside_files, notes, tallies[model]
        )
        made.append(Ingested(record, new=True))
        notes = ()  # Of the data set: said once.
    if request.only is None:  # Hard conditions are at chance by design.
      neighbours.warn(
        request.workdir, request.dataset, request.split, known.labels, tallies
      )
    return made


@dataclasses.dataclass(frozen=True)
class _Beside:
  labels: beside.Labels | None
  ids: np.ndarray | None
  class_names: Sequence[str] | None


def _check(request: Request) -> None:
  for name in ('workdir', 'dataset', 'split', 'predictions'):
    if not str(getattr(request, name) or ''):
      raise errors.UsageError(f'--{name} must be given, got nothing.')
  for name in ('dataset', 'split'):
    files.check_name(name, getattr(request, name))
  if request.category:
    lookup.check_choice(
      'category (--category)', request.category, categories.CATEGORIES
    )
  lookup.check_choice(
    'way with what is missing (--missing)', request.missing, _WAYS
  )
  if request.kind:
    lookup.check_choice('kind (--kind)', request.kind, source_lib.KINDS)


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
    names = formats.model_names(paths, request.format)
    twice = [n for n, count in collections.Counter(names).items() if count > 1]
    if twice:
      raise errors.UsageError(
        'Files must have different names, or lie in folders that have, for '
        f'these name the models; got {len(twice)} names more than once, among '
        f'them {twice[0]!r}: give one file at a time, with --model.'
      )
    jobs = dict(zip(names, paths))
  for path in paths:
    formats.choose(path, request.format)
  for name in jobs:
    files.check_name('model', name)
  return jobs


def _stored(
  request: Request, jobs: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
  """The records of the models that are there and shall not be replaced."""
  if request.replace:
    return {}
  reader = store.Store(request.workdir)
  there = set(reader.models(request.dataset, request.split))
  found = {
    name: reader.record(request.dataset, request.split, name)
    for name in jobs
    if name in there
  }
  return {name: record for name, record in found.items() if record}


def _differences(
  request: Request,
  model: str,
  prepared: prepare.Prepared,
  record: Mapping[str, Any],
  tally: sanity.Tally,
) -> list[str]:
  """The model, and what it has stored that the request has otherwise."""
  for field in ('category', 'method', 'head'):
    # What isn't given now was given before.
    wanted, got = getattr(request, field), record.get(field, '')
    if wanted and wanted != got:
      return [f'{model!r} ({field} {wanted!r}, and {got!r} is stored)']
  same = write.stored_already(
    request.workdir,
    dataset=request.dataset,
    split=request.split,
    model=model,
    record=record,
    arrays=prepared.arrays,
    logits=prepared.logits() if prepared.logits else None,
    places=prepared.places,
    tally=tally,
  )
  return [] if same else [repr(model)]


def _refuse_others(request: Request, others: Sequence[str]) -> None:
  """Raises DataError where a model is stored with other predictions."""
  if others:
    raise errors.DataError(
      f'A model that {request.dataset}/{request.split} holds already must come '
      f'with what is stored of it, got other things for {len(others)}: '
      f'{", ".join(others[:3])}{", ..." * (len(others) > 3)}. --replace takes '
      'the new ones, --model another name.'
    )


def _prepare(
  request: Request, path: str, known: Examples, given: _Beside
) -> prepare.Prepared:
  source = prepare.read_source(request, path, given.ids, known, given.labels)
  return prepare.prepare(request, source, path, known, given.labels)


def _read_beside(request: Request) -> _Beside:
  return _Beside(
    beside.read_labels(request.labels) if request.labels else None,
    beside.read_ids(request.ids) if request.ids else None,
    beside.read_class_names(request.class_names)
    if request.class_names
    else None,
  )


def _store(
  request: Request,
  model: str,
  path: str,
  known: Examples,
  given: _Beside,
  notes: Sequence[str],
  tally: sanity.Tally,
) -> dict[str, Any]:
  prepared = _prepare(request, path, known, given)
  for line in prepared.doubts:
    logging.warning('%s: %s', model, line)
  record = {
    'source': 'ingest',
    'file': os.path.basename(path),
    'file_sha256': files.file_digest(path),
    'format': formats.choose(path, request.format),
    'kind': prepared.kind,
    'aligned_by': prepared.aligned_by,
    'notes': [*notes, *prepared.notes],
    'category': request.category,
    'method': request.method,
    'head': request.head,
  }
  return write.write_model(
    request.workdir,
    dataset=request.dataset,
    split=request.split,
    model=model,
    replace=request.replace,
    arrays=prepared.arrays,
    logits=prepared.logits() if prepared.logits else None,
    places=prepared.places,
    record=record,
    tally=tally,
  )

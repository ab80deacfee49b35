"""Plan of a study: what it would do from the current workdir, and costs.

Each stage itself is asked what is done; nothing is fetched, compiled or
written.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from etils import epath

from overlap import store
from overlap.study import (
  costs,
  drawing,
  inputs,
  methods,
  prediction,
  probe_models,
  results,
  training,
  unchanged,
  workdir,
)
from overlap.study.prediction import Part
from overlap.study.preview import Absent, Preview

T = TypeVar('T')
# What is done about a model, before it predicts.
THERE, TRAIN, GO_ON, LOAD, FIT, BRING = (
  'there', 'train', 'train on', 'load', 'fit', 'to be brought',
)  # fmt: skip


class Row(NamedTuple):
  """Plan for one model.

  Attributes:
    name: name of the model.
    does: action, one of the words above.
    measured: costs of the model; None where nothing will be done, or where
      costs are unknown because the data are absent. So are the fields below.
    trained: None also where the model is not trained.
    splits: splits that it will predict, by the store's names of them.
    predict_flops: floating-point operations of the images among them; None for
      unknown.
    stored_bytes: bytes of the arrays among them; None for unknown.
    kept_bytes: bytes of the weights that will be kept; None for unknown.
  """

  name: str
  does: str
  measured: costs.Model | None = None
  trained: costs.Training | None = None
  splits: tuple[str, ...] = ()
  predict_flops: float | None = 0.0
  stored_bytes: int | None = 0
  kept_bytes: int | None = 0


class Plan(NamedTuple):
  """Plan of a study.

  Attributes:
    data: each data set, and what there is to say of it.
    sizes: split to its number of examples, None where that is not known.
    rows: one a model.
    tables: to be made; empty where they are there; None where the stage is
      not asked for.
    drawn: figures to be drawn, and 'the report'; likewise.
  """

  data: dict[str, str]
  sizes: dict[str, int | None]
  rows: list[Row]
  tables: list[str] | None
  drawn: list[str] | None


def make(
  study: Preview, stages: Sequence[str], model: str | None = None
) -> Plan:
  """Looks at the workdir and at the data.

  Args:
    study: study, whose data are not fetched.
    stages: stages, see `run.run`.
    model: name of one model, or None for all.

  Raises:
    DataError, UsageError: what a stage would raise before it began.
  """
  trained = study.selected(model)
  parts = prediction.parts(study) if trained and 'predict' in stages else []
  opened = {
    part.split: _if_here(functools.partial(part.examples, study))
    for part in parts
  }
  sizes = {s: None if e is None else len(e) for s, e in opened.items()}
  inputs.check_same_classes(
    [
      _if_here(lambda: study.reference) if trained else None,
      *(opened[part.split] for part in parts if not part.is_transfer),
    ]
  )
  rows = [_image_row(study, name, stages, parts, sizes) for name in trained]
  changed = {row.name for row in rows if row.splits}
  for name in study.selected(model, 'probe') if 'predict' in stages else ():
    rows.append(_probe_row(study, name, changed, sizes))
  rows += [_stored_row(study, name) for name in study.selected(model, 'store')]
  changed = {row.name for row in rows if row.splits}
  made = _tables(study, stages, bool(changed))
  begun = made or any(row.does != THERE or row.splits for row in rows)
  return Plan(
    data=dict(study.notes),
    sizes=sizes,
    rows=rows,
    tables=made,
    drawn=_drawn(study, stages, bool(begun)),
  )


def _if_here(compute: Callable[[], T | None]) -> T | None:
  """Calls a function; None where the data that it needs are not here."""
  try:
    return compute()
  except Absent:
    return None


def _image_row(
  study: Preview,
  name: str,
  stages: Sequence[str],
  parts: Sequence[Part],
  sizes: dict[str, int | None],
) -> Row:
  there = training.is_trained(study, name)
  does = THERE
  if not there and 'train' in stages:
    does = _making(study, name)
  left = [p for p in parts if not prediction.is_predicted(study, name, p)]
  if left and does == THERE:
    prediction.require_trained(study, name)
  row = Row(name, does, splits=tuple(part.split for part in left))
  if does == THERE and not left:
    return row
  row = row._replace(
    predict_flops=None if left else 0.0,
    stored_bytes=None if left else 0,
    kept_bytes=None if does != THERE else 0,
  )
  examples = _if_here(lambda: study.reference)
  if examples is None:
    return row
  measured = costs.model(study, name, examples)
  row = row._replace(measured=measured)
  if does != THERE:
    row = row._replace(
      trained=_if_here(lambda: costs.training(study, name, measured, examples)),
      kept_bytes=measured.num_bytes,
    )
  counts = [sizes[part.split] for part in left]
  if None in counts:
    return row
  images = sum(filter(None, counts))
  return row._replace(
    # XLA does not count the operations of every model.
    predict_flops=images * measured.flops or (None if left else 0.0),
    stored_bytes=sum(
      costs.stored_bytes(measured, part.arrays, sizes[part.split] or 0)
      for part in left
    ),
  )


def _making(study: Preview, name: str) -> str:
  """Describes how a missing model would be made."""
  settings = study.config['models'][name]
  if not methods.phases(settings) and settings['init']['checkpoint']:
    return LOAD
  begun = training.run_folder(study, name)
  return GO_ON if begun.exists() and any(begun.iterdir()) else TRAIN


def _probe_row(
  study: Preview,
  name: str,
  changed: set[str],
  sizes: dict[str, int | None],
) -> Row:
  """A probe is fitted again on whatever features are made again."""
  splits = list(study.config['predict']['splits'])
  if not changed & set(study.config['models'][name]['models']):
    splits = [
      s for s in splits if not probe_models.is_predicted(study, name, s)
    ]
  if not splits:
    return Row(name, THERE)
  examples = [
    _if_here(functools.partial(study.examples, split)) for split in splits
  ]
  num_bytes = sum(4 * len(e) * len(e.class_names) for e in examples if e)
  return Row(
    name,
    FIT,
    splits=tuple(splits),
    stored_bytes=None if None in examples else num_bytes,
  )


def _stored_row(study: Preview, name: str) -> Row:
  reader, split = store.Store(study.path), study.config['analyses']['split']
  for dataset in results.dataset_names(study.config):
    if name in reader.models(dataset, split):
      return Row(name, THERE)
  return Row(name, BRING)


def _tables(
  study: Preview, stages: Sequence[str], changed: bool
) -> list[str] | None:
  if 'analyse' not in stages:
    return None
  wanted = list(study.config['analyses']['tables'])
  if changed or len(stages) == 1:
    return wanted
  path = epath.Path(study.path)
  request = results.study_request(path, study.config)
  done = unchanged.is_done(path, unchanged.stamp(path, request))
  return [] if done else wanted


def _drawn(
  study: Preview, stages: Sequence[str], changed: bool
) -> list[str] | None:
  if 'report' not in stages:
    return None
  path = epath.Path(study.path)
  done = (
    not changed
    and len(stages) > 1
    and workdir.is_bound(path, study.config)
    and drawing.is_drawn(path)
  )
  return [] if done else [*study.config['report']['figures'], 'the report']

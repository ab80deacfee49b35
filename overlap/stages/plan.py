"""Plan of a study: actions on the current workdir, and their costs.

Uses each stage's own test of what is done; fetches, compiles and writes
nothing.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from etils import epath

from overlap import store
from overlap.stages import analyse, inputs, predict, probes, report, train
from overlap.stages.predict import Part
from overlap.study import costs, methods
from overlap.study.preview import Absent, Preview
from overlap.workdir import fingerprints, layout

T = TypeVar('T')
# Actions for a model before it predicts.
THERE, TRAIN, GO_ON, LOAD, FIT, BRING = (
  'there', 'train', 'train on', 'load', 'fit', 'to be brought',
)  # fmt: skip


class Row(NamedTuple):
  """Plan for one model.

  Attributes:
    name: name of the model.
    does: action, one of the words above.
    measured: costs of the model; None if nothing is to be done, or if they are
      unknown because the data are missing.
    trained: costs of the training; None if unknown or if it is not trained.
    splits: splits to predict, by their names in the store.
    predict_flops: floating-point operations of the predictions; None if
      unknown.
    stored_bytes: bytes of the arrays to store; None if unknown.
    kept_bytes: bytes of the weights to save; None if unknown.
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
    data: note on each data set by name.
    sizes: number of examples of each split; None if unknown.
    rows: plans of the models.
    tables: names of the tables to make; empty if up to date; None if the stage
      is not requested.
    drawn: figures to draw and 'the report'; empty if up to date; None if the
      stage is not requested.
  """

  data: dict[str, str]
  sizes: dict[str, int | None]
  rows: list[Row]
  tables: list[str] | None
  drawn: list[str] | None


def make_plan(
  study: Preview, stages: Sequence[str], model: str | None = None
) -> Plan:
  """Plans a study from the workdir and the data.

  Args:
    study: study whose data are not fetched.
    stages: stages to run, see `run.run`.
    model: name of the only model to run them for; None for all.

  Raises:
    DataError, UsageError: a stage would raise it before it starts.
  """
  trained = study.selected(model)
  parts = predict.parts(study) if trained and 'predict' in stages else []
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
  """Calls a function; returns None if it needs data that are not here."""
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
  there = train.is_trained(study, name)
  does = THERE
  if not there and 'train' in stages:
    does = _making(study, name)
  left = [p for p in parts if not predict.is_predicted(study, name, p)]
  if left and does == THERE:
    predict.require_trained(study, name)
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
  """Returns the action that would make a missing model."""
  settings = study.config['models'][name]
  if not methods.phases(settings) and settings['init']['checkpoint']:
    return LOAD
  begun = train.run_folder(study, name)
  return GO_ON if begun.exists() and any(begun.iterdir()) else TRAIN


def _probe_row(
  study: Preview,
  name: str,
  changed: set[str],
  sizes: dict[str, int | None],
) -> Row:
  """Plans a probe, which is fitted anew if its features are made anew."""
  splits = list(study.config['predict']['splits'])
  if not changed & set(study.config['models'][name]['models']):
    splits = [s for s in splits if not probes.is_predicted(study, name, s)]
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
  for dataset in analyse.dataset_names(study.config):
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
  request = analyse.study_request(path, study.config)
  done = fingerprints.is_done(path, fingerprints.stamp(path, request))
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
    and layout.is_bound(path, study.config)
    and report.is_drawn(path)
  )
  return [] if done else [*study.config['report']['figures'], 'the report']

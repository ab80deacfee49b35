"""Models of a study that are linear probes on stored features of others.

The probe is fitted like those of Sec. 4.6 and A.5, and its logits are stored
like any model's. Only the store is read, so ingested features work as well.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging

from overlap import store
from overlap.analyses.probing import fitting
from overlap.analyses.probing.features import Dimensions, Splits, Where
from overlap.catalog import categories
from overlap.core import errors, files, provenance
from overlap.predict import to_store
from overlap.probes.selection import Selection
from overlap.stages import analyse
from overlap.study import costs, specs
from overlap.study.study import Study
from overlap.workdir import layout

# Rows whose logits are computed at a time.
_BATCH = 4096


def predict(study: Study, name: str) -> None:
  """Fits a probe and stores its logits on every configured split.

  Raises:
    DataError: a split or its features are not stored.
    UsageError: its predictions are of another config or of other features, and
      `study.replace` is not set.
  """
  choice: Selection | None = None
  for split in study.config['predict']['splits']:
    splits = _open(study, name, split)
    if _is_there(study, name, splits):
      logging.info('%s: predicted %s already', name, split)
      continue
    with provenance.timed(
      functools.partial(
        layout.add_timing, study.path, 'predict', name, split=split
      )
    ):
      choice = choice or _fit(study, name, splits)
      _predict(study, name, splits, choice)
    logging.info('%s: predicted %s', name, split)


def is_predicted(study: Study, name: str, split: str) -> bool:
  """Returns whether the store has a probe's logits of this config on a split.

  Raises:
    DataError, UsageError: see `predict`.
  """
  return _is_there(study, name, _open(study, name, split))


def _is_there(study: Study, name: str, splits: Splits) -> bool:
  record = store.Store(study.path).record(*splits.test, name)
  if record is None:
    return False
  if record.get('config_hash') == _identity(study, name, splits):
    return True
  if not study.replace:
    raise errors.UsageError(
      f'The predictions of {name} in {study.path} must have been made by '
      'this config, of the features that are stored, and were not: use '
      '--resume=update to make them again, or another --workdir.'
    )
  return False


def _members(study: Study, name: str) -> list[str]:
  return list(study.config['models'][name]['models'])


def _open(study: Study, name: str, split: str) -> Splits:
  """Opens the splits, checking that all models have features on them."""
  reader = store.Store(study.path)
  test = Where(analyse.stored_dataset(study.path, study.config), split)
  options = specs.probing(study.config, name)
  train, heldout = (
    Where(test.dataset, split) for split in (options.train, options.heldout)
  )
  held = reader.splits()
  for place in (train, heldout, test):
    missing = [
      model for model in _members(study, name)
      if place not in held or not _has_features(reader, place, model)
    ]  # fmt: skip
    if missing:
      raise errors.DataError(
        f'The probe {name} needs features on {"/".join(place)} of all its '
        f'models, and the store has none of {", ".join(missing)}: name the '
        f'split in config.data.splits and in config.predict.feature_splits, '
        'and run the stage predict.'
      )
  return Splits(reader, train, heldout, test, options.normalisation)


def _has_features(reader: store.Store, place: Where, model: str) -> bool:
  record = reader.record(*place, model)
  return record is not None and 'features' in record['arrays']


def _identity(study: Study, name: str, splits: Splits) -> str:
  """Returns a hash of everything that the predictions depend on."""
  return files.digest(
    [
      dict(study.config['models'][name]),
      splits.checksums(_members(study, name)),
    ]
  )


def _parts(splits: Splits, members: Sequence[str]) -> list[Dimensions]:
  return [
    Dimensions(model, np.arange(splits.width(model))) for model in members
  ]


def _fit(study: Study, name: str, splits: Splits) -> Selection:
  members = _members(study, name)
  logging.info('%s: a probe on features of %s', name, ', '.join(members))
  choice = fitting.choose(
    splits,
    _parts(splits, members),
    specs.probing(study.config, name),
    len(splits.examples(splits.train).class_names),
  )
  assert isinstance(choice.l2, float)
  logging.info(
    '%s: held-out accuracy %.2f %% with l2=%.3g',
    name, 100 * choice.accuracies[choice.strengths.index(choice.l2)],
    choice.l2,
  )  # fmt: skip
  if choice.end:
    logging.warning(
      '%s: the %s strength of the grid was chosen, a better one may lie beyond',
      name, choice.end,
    )  # fmt: skip
  return choice


def _predict(
  study: Study, name: str, splits: Splits, choice: Selection
) -> None:
  members = _members(study, name)
  features = splits.rows(_parts(splits, members), splits.test)
  examples = splits.examples(splits.test)

  def rows(start: int, stop: int) -> Iterator[to_store.Rows]:
    for first in range(start, stop, _BATCH):
      last = min(first + _BATCH, stop)
      yield first, {'logits': choice.probe.logits(features.read(first, last))}

  to_store.write_record(
    workdir=study.path,
    dataset=splits.test.dataset,
    split=splits.test.split,
    name=name,
    count=len(examples),
    widths={'logits': len(examples.class_names)},
    rows=rows,
    record={
      'source': 'probe',
      'config_hash': _identity(study, name, splits),
      'probe': choice.record() | {'models': members},
      'costs': costs.of_probe(
        [splits.record(splits.test, model) for model in members],
        sum(splits.width(model) for model in members),
        len(examples.class_names),
      ),
      **_place(splits, study.config['models'][name], members),
    },
    replace=study.replace,
  )


def _place(
  splits: Splits, settings: Mapping[str, Any], members: Sequence[str]
) -> dict[str, Any]:
  """Returns the probe's position on the axes, and its fields for tables."""
  records = [splits.record(splits.test, model) for model in members]
  place: dict[str, Any] = {
    'method': _joined([str(r.get('method') or '') for r in records]),
    'head': 'L-BFGS',
  }
  if all(record.get('axes') for record in records):
    axes = {
      axis: _joined([record['axes'][axis] for record in records])
      for axis in categories.AXES
    }
    # Another head on the same features is a difference of hyper-parameters.
    axes['hparams'] = files.digest([axes['hparams'], dict(settings)])
    return place | {'axes': axes}
  said = [record.get('category') or categories.UNKNOWN for record in records]
  return place | {'category': max(said, key=categories.rank)}


def _joined(texts: Sequence[str]) -> str:
  """Joins distinct values: 'IN + WIT'."""
  return ' + '.join(dict.fromkeys(text for text in texts if text))

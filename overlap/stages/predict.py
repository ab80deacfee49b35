"""Stage predict, which fills the store."""

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

from absl import logging

from overlap import store
from overlap.core import errors, provenance
from overlap.data.examples import Examples
from overlap.distributed import sharing
from overlap.predict import forward, to_store
from overlap.stages import probes
from overlap.stages.train import load, make_task, read_model
from overlap.study import costs, model_images, specs
from overlap.study.study import Study
from overlap.workdir import layout

_FEATURES = ('features',)


class Part(NamedTuple):
  """Split that every model predicts, and the arrays to store.

  Attributes:
    dataset: name of the data set.
    split: name of the split in the store.
    arrays: names from `to_store.ARRAYS`.
    is_transfer: whether it belongs to the data set to probe features on.
  """

  dataset: str
  split: str
  arrays: tuple[str, ...]
  is_transfer: bool = False

  def examples(self, study: Study) -> Examples:
    """Returns the examples of the split, fetched if necessary."""
    found = (
      study.transfer_examples(self.split.removeprefix(specs.TRANSFER))
      if self.is_transfer
      else study.examples(self.split)
    )
    assert found is not None  # An empty split is not a part.
    return found


def parts(study: Study) -> list[Part]:
  """Returns the splits to predict, in order.

  Raises:
    UsageError: a split that is to be predicted is left empty.
  """
  return list(_parts(study))


def _parts(study: Study) -> Iterator[Part]:
  settings = study.config['predict']
  for split in settings['splits']:
    yield Part(study.dataset, _needed(study, split), tuple(to_store.ARRAYS))
  for split in settings['feature_splits']:
    if split not in settings['splits']:
      yield Part(study.dataset, _needed(study, split), _FEATURES)
  for split, spec in study.config['transfer']['splits'].items():
    if spec and study.transfer_dataset:
      name = f'{specs.TRANSFER}{split}'
      yield Part(study.transfer_dataset, name, _FEATURES, is_transfer=True)


def _needed(study: Study, split: str) -> str:
  if not study.config['data']['splits'][split]:
    raise errors.UsageError(
      f'config.data.splits.{split} must name a split to predict, got "".'
    )
  return split


def predict_all(study: Study, model: str | None = None) -> None:
  """Predicts all configured splits with all models."""
  names = study.selected(model)
  stored: list[tuple[Part, Examples]] = []
  for part in parts(study) if names else ():  # No model, no data.
    examples = part.examples(study)
    for name in names:
      if not is_predicted(study, name, part):
        require_trained(study, name)
    examples.labels()  # Faulty labels must raise before anything is written.
    study.begin()
    to_store.ensure_examples(study.path, examples)
    stored.append((part, examples))
  jobs = {f'{i} {name}': () for i in range(len(stored)) for name in names}
  for job in sharing.share_out('predict', jobs):
    number, _, name = job.partition(' ')
    _predict(study, name, *stored[int(number)])
  # Probes come last: they need the other models' stored features.
  for name in study.selected(model, 'probe'):
    probes.predict(study, name)


def is_predicted(study: Study, name: str, part: Part) -> bool:
  """Returns whether the store has a model's predictions of this config.

  Raises:
    UsageError: they are another config's, and `study.replace` is not set.
  """
  record = _record(study, name, part)
  if record is None:
    return False
  # Stored features alone, now wanted with logits, have the same config hash.
  if record.get('config_hash') == _hash(study, name, part):
    return set(part.arrays) <= set(record['arrays'])
  if not study.replace:
    raise errors.UsageError(
      f'The predictions of {name} in {study.path} must have been made by this '
      'config, and were made by another: use --resume=update to make them '
      'again, or another --workdir.'
    )
  return False


def _record(study: Study, name: str, part: Part) -> dict[str, Any] | None:
  return store.Store(study.path).record(part.dataset, part.split, name)


def _hash(study: Study, name: str, part: Part) -> str:
  return specs.prediction_hash(study.config, name, study.dataset, part.split)


def require_trained(study: Study, name: str) -> None:
  """Raises DataError if a model has no variables to predict with."""
  if read_model(study, name) is None:
    raise errors.DataError(
      f'{name} must be trained before it predicts: run the stage train.'
    )


def _predict(study: Study, name: str, part: Part, examples: Examples) -> None:
  if is_predicted(study, name, part):
    logging.info('%s: predicted %s already', name, part.split)
    return
  settings = study.config['models'][name]
  with provenance.timed(
    functools.partial(
      layout.add_timing, study.path, 'predict', name, split=part.split
    )
  ):
    task = make_task(study, name)
    shown = model_images.prepared(settings, examples)
    measured = costs.measure_costs(task.model, task.model_input, shown)
    to_store.predict(
      workdir=study.path,
      name=name,
      forward=forward.forward_function(task.model, task.model_input),
      variables=load(study, task),
      examples=shown,
      batch_size=task.batch_size,
      num_threads=task.num_threads,
      record={
        'config_hash': _hash(study, name, part),
        'axes': specs.axes(settings, study.dataset),
        'costs': costs.recorded(measured),
        **specs.labels(settings, study.dataset_label),
      },
      arrays=part.arrays,
      # An existing record is then of this config, and lacks an array.
      replace=study.replace or _record(study, name, part) is not None,
    )
  logging.info('%s: predicted %s', name, part.split)

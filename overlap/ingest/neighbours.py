"""New models beside the others of their split: what is odd is logged."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from absl import logging
from etils import epath

from overlap import store
from overlap.core import errors
from overlap.ingest import sanity
from overlap.ingest import source as source_lib

# Of models that were not ingested, so many are read for their accuracy.
_MOST_READ = 3
Records = Mapping[str, Mapping[str, Any]]


def warn(
  workdir: epath.PathLike,
  dataset: str,
  split: str,
  labels: np.ndarray,
  tallies: Mapping[str, sanity.Tally],
) -> None:
  """Logs what is odd about models that were just stored, one line each.

  Others whose records are damaged are passed over.

  Args:
    workdir: local folder or gs:// path, of the store.
    dataset: name of the data set.
    split: name of the split.
    labels: int `[examples]`.
    tallies: tallies of the new models, by their names, in the order of their
      files.
  """
  reader = store.Store(workdir)
  records: dict[str, Mapping[str, Any]] = {}
  for name in reader.models(dataset, split):
    with contextlib.suppress(errors.DataError):
      record = reader.record(dataset, split, name)
      records |= {name: record} if record else {}
  accuracies = _accuracies(reader, labels, records)
  later = list(tallies)
  for model, tally in tallies.items():
    if model not in records:
      continue  # Another run has taken it away.
    told = sanity.doubts(
      tally,
      labels=labels,
      classes=records[model]['num_classes'],
      others=[value for name, value in accuracies.items() if name != model],
    )
    before = {n: record for n, record in records.items() if n not in later}
    same = sanity.same_as(records[model], before, tally)
    if same is not None:
      told.append(f'the same predictions as those of {same!r}')
    later.remove(model)
    for line in told:
      logging.warning('%s: %s', model, line)


def _accuracies(
  reader: store.Store, labels: np.ndarray, records: Records
) -> dict[str, float]:
  """Models' accuracies: as they are noted, and of a few that have none."""
  noted = {n: r['accuracy'] for n, r in records.items() if 'accuracy' in r}
  for name in [name for name in records if name not in noted][:_MOST_READ]:
    tally = sanity.Tally(labels)
    with contextlib.suppress(errors.DataError):
      for start, predicted in _predicted(reader, records[name]):
        tally.add(start, predicted)
      if tally.rows:
        noted[name] = tally.accuracy
  return noted


def _predicted(
  reader: store.Store, record: Mapping[str, Any]
) -> Iterator[tuple[int, np.ndarray]]:
  """Yields the first row and the predicted classes of block after block."""
  place = record['dataset'], record['split'], record['model']
  if 'predicted' in record['arrays']:
    yield 0, reader.read(*place, 'predicted')
  elif 'logits' in record['arrays']:
    rows = record['num_examples']
    step = source_lib.block_rows(4 * record['num_classes'])
    for start in range(0, rows, step):
      stop = min(start + step, rows)
      block = reader.read(*place, 'logits', start, stop)
      yield start, sanity.highest(block)

"""The tables of transfer to another data set (Sec. 4.7, Fig. 7).

Probes are fitted on stored features of that data set, of some models alone and
of each two side by side. Strengths are chosen on held-out examples, probes are
refitted on training and held-out examples, and the test split is predicted
once.
"""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from absl import logging

from overlap.analyses import correctness, stats
from overlap.analyses.context import Context
from overlap.analyses.probing import fitting, memo, multi_label, transfer
from overlap.analyses.probing.features import Dimensions, Splits, Where
from overlap.analyses.probing.multi_label import Labels
from overlap.analyses.specialisation import groups as groups_lib
from overlap.catalog import categories
from overlap.core import errors, files, lookup, progress
from overlap.probes import selection
from overlap.probes.rows import Rows
from overlap.tables import schemas, table_io

TABLES = ('transfer', 'transfer_classes')
# Categories whose most accurate model is probed beside the base.
_CATEGORIES = ('ARCH', 'FRAMEWORK', 'DATASET')
# Widths of features are padded to a multiple of this.
_WIDTHS = 128
_NAMES = {
  transfer.MEAN_AVERAGE_PRECISION: 'average precision',
  transfer.ACCURACY: 'recall',
}


class Result(NamedTuple):
  """Test predictions and fit of a probe.

  Attributes:
    logits: logits of the test split, float32 `[examples, K]`.
    width: number of features.
    l2: chosen strengths, float64 `[K]`.
    converged: whether the refit converged.
  """

  logits: np.ndarray
  width: int
  l2: np.ndarray
  converged: bool


class Task(NamedTuple):
  """Features and labels of the data set to transfer to."""

  splits: Splits
  train: Labels
  heldout: Labels
  test: Labels


def measure_transfer(context: Context) -> dict[str, pd.DataFrame]:
  """Probes features of another data set, of models alone and in pairs.

  Returns:
    'transfer': each model and pair; 'transfer_classes': each class of these.
    Both are empty, and a line is logged, if the store lacks the data.
  """
  rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
  task = open_task(context)
  chosen = [] if task is None else choose(context, task.splits)
  if task is not None and chosen:
    systems = [(i,) for i in chosen] + list(itertools.combinations(chosen, 2))
    results = _probed(context, task, systems)
    scores = transfer.score_systems(
      [result.logits for result in results], task.test,
      resamples=context.options.resamples, seed=context.options.seed,
    )  # fmt: skip
    rows['transfer'] = _systems(context, task, systems, results, scores)
    rows['transfer_classes'] = _classes(context, task, systems, results, scores)
  return {
    name: table_io.typed(
      name,
      {
        column: [row.get(column) for row in rows[name]]
        for column in schemas.SCHEMAS[name]
      },
    )
    for name in TABLES
  }


def open_task(context: Context) -> Task | None:
  """Opens the data set to transfer to; logs missing data and returns None.

  Raises:
    DataError: its splits have different classes, or images have several classes
      in only some of them.
  """
  options, reader = context.options.transfer, context.split.reader
  train, heldout, test = places = tuple(
    Where(options.dataset, split)
    for split in (options.train, options.heldout, options.test)
  )
  missing = [where for where in places if where not in reader.splits()]
  if missing:
    what = '/'.join(missing[0]) if options.dataset else 'another data set'
    logging.info('no features of %s in the store: no transfer', what)
    return None
  normalisation = context.options.probing.normalisation
  splits = Splits(reader, train, heldout, test, normalisation)
  examples = [splits.examples(where) for where in places]
  kinds = {(e.class_names, e.targets is None) for e in examples}
  if len(kinds) > 1:
    raise errors.DataError(
      f'All splits of {options.dataset} that probes are fitted and scored on '
      'must have the same classes, one an image or several, got others in '
      f'{", ".join(where.split for where in places)}.'
    )
  groups = groups_lib.configured(
    options.groups, examples[0].class_names, 'transfer.groups'
  )
  labels = []
  for where, own in zip(places, examples):
    rows = splits.own(where)
    targets = None if own.targets is None else own.targets[rows]
    labels.append(
      multi_label.labels(own.class_names, own.labels[rows], targets, groups)
    )
  return Task(splits, *labels)


def choose(context: Context, splits: Splits) -> list[int]:
  """Returns the members whose features are probed, in order.

  These are the requested models; by default the base and the most accurate
  model within the window of each of `_CATEGORIES`, the first in a tie.

  Raises:
    UsageError: a requested model is unknown.
  """
  names, given = context.names, context.options.transfer.models
  for name in given:
    lookup.check_choice('model for transfer.models', name, names)
  wanted = [i for i, name in enumerate(names) if name in given or not given]
  without = [i for i in wanted if not splits.width(names[i])]
  if without:
    logging.info(
      'without features of %s: %s', context.options.transfer.dataset,
      lookup.few([names[i] for i in without]),
    )  # fmt: skip
  having = [i for i in wanted if i not in without]
  if given:
    return having
  chosen = [i for i in having if i == 0]
  for category in _CATEGORIES:
    own = [
      i
      for i in having
      if context.in_window[i] and context.members[i].category == category
    ]
    chosen += sorted(own, key=lambda i: (-_accuracy(context, i), i))[:1]
  return chosen


def _accuracy(context: Context, member: int) -> float:
  return float(context.members[member].columns['accuracy'])


def _probed(
  context: Context, task: Task, systems: Sequence[tuple[int, ...]]
) -> list[Result]:
  """Returns the probes of all systems, resuming those of an earlier run."""
  options, names = context.options, context.names
  alone = [names[system[0]] for system in systems if len(system) == 1]
  kept = memo.Memo(
    context.scratch,
    [
      task.splits.checksums(alone),
      [files.array_digest(part.targets) for part in task[1:]],
      dataclasses.asdict(options.transfer),
      dataclasses.asdict(options.probing),
    ],
    Result,
    name='transfer',
  )
  found = []
  for system in progress.track(
    systems, total=len(systems), what='transfer', unit='probe'
  ):
    parts = [
      Dimensions(names[i], np.arange(task.splits.width(names[i])))
      for i in system
    ]
    key = '\n'.join(part.model for part in parts)
    result = kept.get(key)
    if result is None:
      result = probe(context, task, parts)
      kept.put(key, result)
    found.append(result)
  return found


def probe(context: Context, task: Task, parts: Sequence[Dimensions]) -> Result:
  """Fits a probe to the features of one model or several side by side."""
  splits, options = task.splits, context.options.probing
  train, heldout, test = (
    _padded(splits.rows(parts, where))
    for where in (splits.train, splits.heldout, splits.test)
  )
  labels = len(task.test.names)
  chosen = selection.select(
    train,
    task.train.fitted,
    heldout,
    task.heldout.fitted,
    num_classes=labels,
    strengths=fitting.strengths(context.options.transfer),
    normalisation='none',  # Normalised already, model by model.
    max_iterations=options.max_iterations,
    stream=options.stream,
  )
  logits = [chosen.probe.logits(block) for _, block in test.blocks()]
  return Result(
    logits=np.concatenate(logits),
    width=sum(len(part.chosen) for part in parts),
    l2=np.broadcast_to(np.array(chosen.l2, np.float64), (labels,)).copy(),
    converged=chosen.probe.fit.converged,
  )


def _padded(rows: Rows) -> Rows:
  """Pads the features with zeros, which get no weight from probes.

  One program is compiled per width, so padding reduces their number.
  """
  count, width = rows.shape
  more = -width % _WIDTHS

  def read(start: int, stop: int) -> np.ndarray:
    return np.pad(rows.read(start, stop), ((0, 0), (0, more)))

  return Rows(read, (count, width + more), rows.what)


def _identity(context: Context, system: tuple[int, ...]) -> dict[str, Any]:
  """Returns the columns that identify the system."""
  one = context.members[system[0]]
  both = {
    'dataset': context.options.transfer.dataset,
    'model_1': one.name,
    'model_2': '',
    'category': one.category,
    'source_accuracy_1': _accuracy(context, system[0]),
  }
  if len(system) == 1:
    return both
  two = context.members[system[1]]
  counts = correctness.pair_counts(context.correct[list(system)])
  return both | {
    'model_2': two.name,
    'category': categories.pair_category(
      one.axes, two.axes, one.category, two.category
    ),
    'source_accuracy_2': _accuracy(context, system[1]),
    'error_inconsistency': float(correctness.error_inconsistency(counts)[0, 1]),
  }


def _systems(
  context: Context,
  task: Task,
  systems: Sequence[tuple[int, ...]],
  results: Sequence[Result],
  scores: transfer.Scores,
) -> list[dict[str, Any]]:
  """Returns the rows of 'transfer'."""
  level, rows = context.options.confidence, []
  for i, (system, result) in enumerate(zip(systems, results)):
    estimate = float(scores.total[i])
    lower, upper = transfer.score_interval(scores.draws[i], estimate, level)
    row = _identity(context, system) | {
      'metric': scores.metric, 'width': result.width,
      'n': len(task.test.targets), 'labels': len(task.test.names),
      'score': estimate, 'score_lower': lower, 'score_upper': upper,
      'converged': result.converged,
    }  # fmt: skip
    if len(system) == 2:
      row |= _gain(context, task, systems, results, scores, i)
    rows.append(row)
  adjusted = stats.holm(np.array([row.get('p_value', np.nan) for row in rows]))
  return [row | {'p_value_holm': float(p)} for row, p in zip(rows, adjusted)]


def _gain(
  context: Context,
  task: Task,
  systems: Sequence[tuple[int, ...]],
  results: Sequence[Result],
  scores: transfer.Scores,
  pair: int,
) -> dict[str, Any]:
  """Compares a pair with its better model on the same test examples."""
  alone = [systems.index((member,)) for member in systems[pair]]
  best = max(alone, key=lambda i: (scores.total[i], -i))
  gain = float(scores.total[pair] - scores.total[best])
  lower, upper = transfer.gain_interval(
    scores.draws[pair] - scores.draws[best], gain, context.options.confidence
  )
  return {
    'best_single': context.names[systems[best][0]],
    'gain': gain, 'gain_lower': lower, 'gain_upper': upper,
    'p_value': transfer.p_value(
      results[best].logits, results[pair].logits, task.test,
      permutations=context.options.transfer.permutations,
      seed=[context.options.seed, pair],
    ),
  }  # fmt: skip


def _classes(
  context: Context,
  task: Task,
  systems: Sequence[tuple[int, ...]],
  results: Sequence[Result],
  scores: transfer.Scores,
) -> list[dict[str, Any]]:
  """Returns the rows of 'transfer_classes'."""
  level, test, rows = context.options.confidence, task.test, []
  classes = len(task.splits.examples(task.splits.test).class_names)
  positives, left_out = _counts(test)
  for i, (system, result) in enumerate(zip(systems, results)):
    identity = _identity(context, system)
    for k, name in enumerate(test.names):
      estimate = float(scores.by_class[i, k])
      lower, upper = transfer.score_interval(
        scores.class_draws[i, k], estimate, level
      )
      rows.append({
        **{c: identity[c] for c in ('dataset', 'model_1', 'model_2')},
        'kind': 'class' if k < classes else 'group', 'class_name': name,
        'metric': _NAMES[scores.metric], 'positives': int(positives[k]),
        'left_out': int(left_out[k]), 'score': estimate, 'score_lower': lower,
        'score_upper': upper, 'l2': float(result.l2[k]),
      })  # fmt: skip
  return rows


def _counts(labels: Labels) -> tuple[np.ndarray, np.ndarray]:
  """Numbers of examples that show each label, and that it leaves out."""
  if labels.several:
    return (labels.targets == 1).sum(axis=0), (labels.targets < 0).sum(axis=0)
  counts = np.bincount(labels.targets, minlength=len(labels.names))
  return counts, np.zeros_like(counts)

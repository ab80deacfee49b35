"""The tables of joined and of compressed representations (Fig. 6)."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from absl import logging

from overlap.analyses import clusters, correctness, stats, summaries
from overlap.analyses.context import Context
from overlap.analyses.probing import compression, fitting, joined, memo
from overlap.analyses.probing.features import Dimensions, Splits, Where
from overlap.analyses.specialisation import panels
from overlap.catalog import categories
from overlap.core import files, lookup, progress
from overlap.tables import schemas, table_io

TABLES = (
  'joined', 'joined_pairs', 'joined_categories', 'joined_correlations',
  'compression', 'compression_targets', 'compression_categories',
)  # fmt: skip

Rows = dict[str, list]


class Pair(NamedTuple):
  """The base and another model, both with features on all splits."""

  other: int
  models: tuple[str, str]
  widths: tuple[int, int]
  identity: dict[str, str]


def measure_joined(context: Context) -> dict[str, pd.DataFrame]:
  """Probes the joined features of the base and each other model.

  Returns:
    'joined': each probe. 'joined_pairs': half of each model's dimensions
    against the better of the two alone, at the same width. 'joined_categories':
    means of these gains over the pairs of a category; 'joined_correlations':
    their correlation with error inconsistency; both are limited to the accuracy
    window. 'compression': probes of the first dimensions of each ranking;
    'compression_targets': dimensions needed for the target;
    'compression_categories': their means. All are empty without splits to fit
    probes on, or without features there.
  """
  rows: dict[str, Rows] = {
    name: {column: [] for column in schemas.SCHEMAS[name]} for name in TABLES
  }
  splits = open_splits(context)
  pairs = [] if splits is None else _pairs(context, splits)
  if splits is not None and pairs:
    names = [pairs[0].models[0], *(pair.models[1] for pair in pairs)]
    probes = _Probes(context, splits, names)
    _joined(context, pairs, probes, rows)
    _compressed(context, pairs, probes, splits, rows)
  return {name: table_io.typed(name, rows[name]) for name in TABLES}


def open_splits(context: Context) -> Splits | None:
  """Returns the splits for probes; logs a missing split and returns None."""
  options, split = context.options.probing, context.split
  held = split.reader.splits()
  train = Where(split.dataset, options.train)
  heldout = Where(split.dataset, options.heldout)
  missing = [place.split for place in (train, heldout) if place not in held]
  if missing:
    logging.info(
      'no features of %s in the store, to fit probes on: no joined features',
      ' or '.join(missing),
    )
    return None
  here = Where(split.dataset, split.split)
  return Splits(split.reader, train, heldout, here, options.normalisation)


def _pairs(context: Context, splits: Splits) -> list[Pair]:
  """Returns pairs of the base with models that have all features."""
  others = list(range(1, len(context.members)))
  if context.options.probing.pairs == 'views':
    views = panels.choose(
      context.members, context.in_window, context.options.specialisation
    )
    others = [other for base, other in views.panels if base == 0]
  widths = {i: splits.width(context.names[i]) for i in [0, *others]}
  if not widths[0]:
    others = []
  without = [context.names[i] for i in widths if not widths[i]]
  if without:
    logging.info('without features to probe: %s', lookup.few(without))
  base = context.members[0]
  return [
    Pair(
      other=i,
      models=(base.name, member.name),
      widths=(widths[0], widths[i]),
      identity={
        'model_1': base.name,
        'model_2': member.name,
        'category': categories.pair_category(
          base.axes, member.axes, base.category, member.category
        ),
      },
    )
    for i, member in ((i, context.members[i]) for i in others)
    if widths[i]
  ]


class _Probes:
  """Probes by dimensions, each fitted once: pairs share the base's probe."""

  def __init__(self, context: Context, splits: Splits, models: Sequence[str]):
    self._context, self._splits = context, splits
    options = context.options.probing
    self._memo = memo.Memo(
      context.scratch,
      [splits.checksums(models), dataclasses.asdict(options)],
      fitting.Result,
    )

  def __call__(self, parts: tuple[Dimensions, ...]) -> fitting.Result:
    parts = tuple(part for part in parts if len(part.chosen))
    key = files.digest([[part.model, part.chosen.tolist()] for part in parts])
    found = self._memo.get(key)
    if found is None:
      context = self._context
      found = fitting.probe(
        self._splits, parts, context.options.probing, len(context.class_names)
      )
      self._memo.put(key, found)
    return found

  def base(self, pair: Pair) -> fitting.Result:
    """Returns the probe on all of the base's features."""
    return self((Dimensions(pair.models[0], np.arange(pair.widths[0])),))


def _scores(result: fitting.Result, confidence: float) -> dict[str, Any]:
  """Returns the columns that all probes have."""
  right, total = int(result.correct.sum()), len(result.correct)
  lower, upper = stats.wilson(
    np.array(right), np.array(total), confidence=confidence
  )
  return {
    'l2': result.l2,
    'heldout_accuracy': result.heldout_accuracy,
    'converged': result.converged,
    'n': total,
    'correct': right,
    'accuracy': right / total,
    'accuracy_lower': float(lower),
    'accuracy_upper': float(upper),
  }


def _add(rows: Rows, row: dict[str, Any]) -> None:
  for name, value in row.items():
    rows[name].append(value)


def _joined(
  context: Context,
  pairs: list[Pair],
  probes: _Probes,
  rows: dict[str, Rows],
) -> None:
  options, level = context.options.probing, context.options.confidence
  for pair in progress.track(
    pairs, total=len(pairs), what='joined features', unit='pair'
  ):
    draws = list(
      joined.draws(
        pair.models, pair.widths, percents=options.percents,
        seeds=options.seeds, seed=context.options.seed,
      )
    )  # fmt: skip
    results = [probes(draw.parts) for draw in draws]
    for draw, result in zip(draws, results):
      one, two = (len(part.chosen) for part in draw.parts)
      row = {
        'percent': draw.percent, 'seed': draw.seed, 'whole': draw.whole,
        'dims_1': one, 'dims_2': two,
      }  # fmt: skip
      row |= _scores(result, level)
      _add(rows['joined'], pair.identity | row)
    gain = joined.half_gain(
      draws, np.stack([r.correct for r in results]), confidence=level
    )
    row = {'n': len(results[0].correct), 'seeds': options.seeds} | gain
    row['error_inconsistency'] = _inconsistency(context, pair)
    _add(rows['joined_pairs'], pair.identity | row)
  _summed_up(context, pairs, rows)


def _inconsistency(context: Context, pair: Pair) -> float:
  """Error inconsistency of the two models, not of their probes."""
  correct = context.correct[[0, pair.other]]
  counts = correctness.pair_counts(correct)
  return float(correctness.error_inconsistency(counts)[0, 1])


def _summed_up(
  context: Context, pairs: list[Pair], rows: dict[str, Rows]
) -> None:
  """Adds category means and the correlation with error inconsistency."""
  options = context.options
  over_models = clusters.summaries(
    options.summary_interval, resamples=options.resamples, seed=options.seed
  )
  others = np.array([pair.other for pair in pairs])
  inside = context.in_window[others]
  gains = np.array(rows['joined_pairs']['half_gain'], np.float64)
  for category, chosen in by_category(pairs, inside):
    mean = over_models.mean(
      gains[chosen], others[chosen, np.newaxis], confidence=options.confidence
    )
    names = 'half_gain', 'half_gain_lower', 'half_gain_upper'
    row = {'category': category, 'pairs': int(chosen.sum())}
    _add(rows['joined_categories'], row | dict(zip(names, mean)))
  apart = np.array(rows['joined_pairs']['error_inconsistency'], np.float64)
  known = inside & np.isfinite(gains)
  _add(
    rows['joined_correlations'],
    summaries.correlation_row(
      'half_gain', 'base', apart[known], gains[known],
      others[known, np.newaxis], confidence=options.confidence,
      intervals=over_models,
    ),
  )  # fmt: skip


def by_category(
  pairs: list[Pair], inside: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
  """Yields categories with pairs, and masks of their pairs, bool `[pairs]`."""
  own = np.array([pair.identity['category'] for pair in pairs])
  for category in categories.CATEGORIES:
    chosen = inside & (own == category)
    if chosen.any():
      yield category, chosen


def _compressed(
  context: Context,
  pairs: list[Pair],
  probes: _Probes,
  splits: Splits,
  rows: dict[str, Rows],
) -> None:
  options, level = context.options.probing, context.options.confidence
  for pair in progress.track(
    pairs if options.rankings else [],
    total=len(pairs), what='compressed features', unit='pair',
  ):  # fmt: skip
    base = probes.base(pair)
    target = options.target or float(base.correct.mean())
    for ranking, seed, order in compression.orders(
      splits, pair.models, pair.widths,
      rankings=options.rankings, seeds=options.seeds, seed=context.options.seed,
    ):  # fmt: skip
      reached = None
      for kept in compression.sizes(options.kept, pair.widths):
        result = probes(
          compression.parts(order[:kept], pair.models, pair.widths)
        )
        row = {'ranking': ranking, 'seed': seed, 'kept': kept}
        row |= _scores(result, level)
        _add(rows['compression'], pair.identity | row)
        if reached is None and result.correct.mean() >= target:
          reached = kept
      row = {
        'ranking': ranking, 'seed': seed, 'target': target, 'kept': reached,
        'width': sum(pair.widths),
      }  # fmt: skip
      _add(rows['compression_targets'], pair.identity | row)
  _sizes_summed_up(context, pairs, rows)


def _sizes_summed_up(
  context: Context, pairs: list[Pair], rows: dict[str, Rows]
) -> None:
  """Adds mean dimensions over the pairs of a category that reach the target."""
  options = context.options
  over_models = clusters.summaries(
    options.summary_interval, resamples=options.resamples, seed=options.seed
  )
  found = pd.DataFrame(rows['compression_targets'])
  others = np.array([pair.other for pair in pairs])
  inside = context.in_window[others]
  for category, chosen in by_category(pairs, inside):
    for ranking in options.probing.rankings:
      # The mean over draws comes first, so that pairs have equal weight. A pair
      # that misses the target in any draw has no mean.
      means = np.array([
        np.mean([
          np.nan if kept is None else kept
          for kept in found['kept'][
            (found['model_2'] == pair.models[1]) & (found['ranking'] == ranking)
          ]
        ])
        for pair in pairs
      ])  # fmt: skip
      mean = over_models.mean(
        means[chosen], others[chosen, np.newaxis],
        confidence=options.confidence,
      )  # fmt: skip
      row = {
        'category': category,
        'ranking': ranking,
        'pairs': int(chosen.sum()),
        'reached': int(np.isfinite(means[chosen]).sum()),
      }
      row |= dict(zip(('kept', 'kept_lower', 'kept_upper'), mean))
      _add(rows['compression_categories'], row)

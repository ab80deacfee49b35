"""The tables of interpolation: accuracy by weight, and optimal weights."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from overlap.analyses import calibration
from overlap.analyses.context import Context
from overlap.analyses.interpolation import curves, winning
from overlap.analyses.interpolation.options import Interpolation
from overlap.analyses.specialisation import groups as groups_lib
from overlap.analyses.specialisation import panels
from overlap.catalog import categories
from overlap.core import lookup, progress
from overlap.tables import schemas, table_io

KINDS = ('simple', 'class_aware')

# Logits of one model in memory at a time: 16 MB in float32.
_BLOCK = 2**22


class Groups(NamedTuple):
  """Groups A and B of the class-aware interpolation: names and classes."""

  name_a: str
  name_b: str
  classes_a: np.ndarray
  classes_b: np.ndarray


class Curve(NamedTuple):
  """The weights at which a pair is right on each example, for one kind."""

  pair: panels.Index
  kind: str
  wins: curves.Wins


def measure_interpolation(context: Context) -> dict[str, pd.DataFrame]:
  """Interpolates the pairs whose models both have logits.

  Returns:
    'interpolation': accuracy at each weight `t` of the second model (or, if
    `kind` is 'class_aware', of the second model for group A and of the first
    for group B). 'interpolation_optima': `best_t` is selected on the same
    examples as `accuracy_best`, which is optimistic; `accuracy_cross_fitted`
    uses, for each half of the examples, the best weight of the other half.
    Gains are over `accuracy_half`, the accuracy of equal weights.
  """
  options = context.options.interpolation
  groups = choose_groups(
    groups_lib.resolve(context.options.specialisation, context.class_names),
    options,
  )
  weights = curves.grid(options.points)
  found = list(_curves(context, _pairs(context), groups, weights))
  return {
    'interpolation': _interpolation_table(context, found, weights),
    'interpolation_optima': _optima_table(context, found, weights, groups),
  }


def choose_groups(
  found: groups_lib.Groups, options: Interpolation
) -> Groups | None:
  """Returns groups A and B: from the options or the first two, else None.

  Raises:
    UsageError: an option names an unknown group.
  """
  for name in filter(None, (options.group_a, options.group_b)):
    lookup.check_choice('group of classes', name, found)
  if not options.group_a and len(found) < 2:
    return None
  first = (options.group_a, options.group_b)
  name_a, name_b = first if options.group_a else list(found)[:2]
  return Groups(name_a, name_b, found[name_a], found[name_b])


def _pairs(context: Context) -> list[panels.Index]:
  """Returns pairs of models that both have logits, each once."""
  chosen = panels.choose(
    context.members, context.in_window, context.options.specialisation
  )
  pairs = chosen.unique
  if context.options.interpolation.pairs == 'views':
    seen = {*chosen.panels, chosen.contrast}
    pairs = [pair for pair in pairs if pair in seen]
  soft = context.soft
  return [pair for pair in pairs if soft[list(pair)].all()]


def _curves(
  context: Context,
  pairs: Sequence[panels.Index],
  groups: Groups | None,
  weights: np.ndarray,
) -> list[Curve]:
  """Computes the curves, reading each first model once for its partners."""
  kinds = KINDS if groups else KINDS[:1]
  total = len(context.split.labels)
  wins = {
    (pair, kind): curves.Wins(*np.empty((2, total), np.int16))
    for pair in pairs
    for kind in kinds
  }
  step = max(1, _BLOCK // max(1, len(context.class_names)))
  firsts = list(dict.fromkeys(first for first, _ in pairs))
  work = [(i, start) for i in firsts for start in range(0, total, step)]
  for first, start in progress.track(
    work, total=len(work), what='interpolate', unit='block'
  ):
    rows = slice(start, min(start + step, total))
    labels = context.split.labels[rows]
    one = np.asarray(context.calibrated(context.members[first])[rows])
    for pair in pairs:
      if pair[0] != first:
        continue
      two = np.asarray(context.calibrated(context.members[pair[1]])[rows])
      for kind in kinds:
        ends = (one, two)
        if kind == 'class_aware' and groups:
          ends = winning.class_aware(
            one, two, groups.classes_a, groups.classes_b
          )
        found = curves.on_grid(*winning.intervals(*ends, labels), weights)
        held = wins[pair, kind]
        held.first[rows], held.stop[rows] = found
  return [Curve(pair, kind, held) for (pair, kind), held in wins.items()]


def _identity(context: Context, curve: Curve) -> dict[str, str]:
  one, two = (context.members[i] for i in curve.pair)
  return {
    'model_1': one.name,
    'model_2': two.name,
    'category': categories.pair_category(
      one.axes, two.axes, one.category, two.category
    ),
    'kind': curve.kind,
  }


def _interpolation_table(
  context: Context, found: Sequence[Curve], weights: np.ndarray
) -> pd.DataFrame:
  columns: dict[str, list] = {n: [] for n in schemas.SCHEMAS['interpolation']}
  total = len(context.split.labels)
  for curve in found:
    counts = curves.correct(curve.wins, len(weights))
    for name, value in _identity(context, curve).items():
      columns[name] += [value] * len(weights)
    columns['t'] += weights.tolist()
    columns['correct'] += counts.tolist()
    columns['n'] += [total] * len(weights)
    columns['accuracy'] += (counts / max(total, 1)).tolist()
  return table_io.typed('interpolation', columns)


def _optima_table(
  context: Context,
  found: Sequence[Curve],
  weights: np.ndarray,
  groups: Groups | None,
) -> pd.DataFrame:
  options = context.options
  halves = calibration.folds_from_ids(context.ids, 2, options.seed)
  names = schemas.SCHEMAS['interpolation_optima']
  columns: dict[str, list] = {name: [] for name in names}
  for curve in progress.track(
    found, total=len(found), what='optima', unit='curve'
  ):
    identity = _identity(context, curve)
    aware = groups if curve.kind == 'class_aware' else None
    row = identity | {
      'group_a': aware.name_a if aware else '',
      'group_b': aware.name_b if aware else '',
      **curves.optimum(
        curve.wins,
        weights,
        halves,
        resamples=options.resamples,
        seed=options.seed,
        key='\n'.join(identity[n] for n in ('model_1', 'model_2', 'kind')),
        confidence=options.confidence,
      ),
    }
    for name, value in row.items():
      columns[name].append(value)
  return table_io.typed('interpolation_optima', columns)

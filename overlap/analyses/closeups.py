"""Compact details of each pair, for readers who select one.

Tables of every pair with every class would be too long. These have a row for
each pair, with lists in a field, and a row for each of a few examples.
"""

import functools
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from overlap.analyses import hashed, stats
from overlap.analyses.context import Context
from overlap.analyses.members import Member
from overlap.analyses.overview import measured_pairs
from overlap.analyses.specialisation import angle, paired
from overlap.catalog import categories
from overlap.tables import schemas, table_io

# With more pairs, only pairs with the base have a row: a minute, and 5 MB.
MAX_PAIRS = 10_000
# Classes on which a model is ahead, per model of a pair.
CLASSES = 5
# Number of examples with the most disagreement.
EXAMPLES = 300

# A row for each class: class, `only_1`, `only_2`, `n` and `q`.
Classes = list[list[float]]


def measure_closeups(context: Context) -> dict[str, pd.DataFrame]:
  """Returns the tables 'pair_closeups' and 'contested'.

  'pair_closeups' has a row for each pair of the table of pairs, or only for
  those with the base if there are more than `MAX_PAIRS`. 'contested' has the
  `EXAMPLES` examples for which the fraction of correct models is nearest to one
  half, and `right`, a 'y' for each correct model and an 'n' for each other, in
  the order of the table of models; ties are broken by a hash of the ids.
  """
  made = {}
  if 'pair_closeups' in context.options.tables:
    made['pair_closeups'] = _pairs(context)
  if 'contested' in context.options.tables:
    made['contested'] = _contested(context)
  return made


def theta_counts(
  theta: np.ndarray, outcomes: np.ndarray, bins: int
) -> tuple[list[int], list[int]]:
  """Histograms of theta where only model 1 is right, and only model 2.

  Args:
    theta: angles, float64 `[examples]`.
    outcomes: positions in `angle.OUTCOMES`, `[examples]`.
    bins: number of bins over the whole range of theta.
  """
  counts = angle.histogram(theta, outcomes, angle.edges('theta', bins))
  _, only_1, only_2, _ = counts.tolist()
  return only_1, only_2


def classes_won(
  only_1: np.ndarray, only_2: np.ndarray, total: np.ndarray
) -> tuple[Classes, Classes]:
  """Returns the classes on which each of two models is furthest ahead.

  Args:
    only_1: number of examples that only model 1 gets right, int `[classes]`.
    only_2: number of examples that only model 2 gets right, int `[classes]`.
    total: number of all examples, int `[classes]`.

  Returns:
    For each model up to `CLASSES` of `[class, only_1, only_2, n, q]`, the
    furthest ahead first: `q` is the false discovery rate of McNemar's test
    among all classes, to four digits.
  """
  p = np.where(total == 0, np.nan, stats.mcnemar(only_1, only_2))
  # Rounding keeps the table's text equal on all machines.
  q = np.round(paired.benjamini_hochberg(p), 4)
  ahead = only_1 - only_2
  sides = []
  for lead in (ahead, -ahead):
    order = np.argsort(-lead, kind='stable')[:CLASSES]
    sides.append(
      [
        [int(c), int(only_1[c]), int(only_2[c]), int(total[c]), float(q[c])]
        for c in order
        if lead[c] > 0
      ]
    )
  return sides[0], sides[1]


def contested(correct: np.ndarray, ids: Sequence[str], seed: int) -> np.ndarray:
  """Returns the examples with the most disagreement, in descending order.

  Args:
    correct: correctness, bool `[models, examples]`.
    ids: ids `[examples]`, whose hash breaks ties.
    seed: seed of the hash.

  Returns:
    Positions, int64, at most `EXAMPLES`, without examples on which all agree.
  """
  right = correct.sum(axis=0)
  split = np.minimum(right, len(correct) - right)
  drawn = hashed.order(ids, 'contested', seed)
  order = drawn[np.argsort(-split[drawn], kind='stable')]
  return order[split[order] > 0][:EXAMPLES]


def _pairs(context: Context) -> pd.DataFrame:
  index, listed = measured_pairs(context)
  index = index[listed]
  if len(index) > MAX_PAIRS:
    index = index[index[:, 0] == 0]
  rows = [
    _row(context, context.members[i], context.members[j]) for i, j in index
  ]
  names = schemas.SCHEMAS['pair_closeups']
  return table_io.typed(
    'pair_closeups', {name: [row[name] for row in rows] for name in names}
  )


def _row(context: Context, one: Member, two: Member) -> dict[str, Any]:
  labels, names = context.split.labels, context.class_names
  bins = context.options.specialisation.bins
  count = functools.partial(np.bincount, minlength=len(names))
  apart = np.flatnonzero(one.correct != two.correct)
  first = one.correct[apart]
  thetas = '', ''
  if one.confidence is not None and two.confidence is not None:
    theta = angle.theta(one.confidence[apart], two.confidence[apart])
    counts = theta_counts(theta, angle.outcome(first, ~first), bins)
    thetas = _text(counts[0]), _text(counts[1])
  won = classes_won(
    count(labels[apart[first]]), count(labels[apart[~first]]), count(labels)
  )
  return {
    'model_1': one.name,
    'model_2': two.name,
    'category': categories.pair_category(
      one.axes, two.axes, one.category, two.category
    ),
    'bins': bins,
    'theta_only_1': thetas[0],
    'theta_only_2': thetas[1],
    'classes_1': _named(won[0], names),
    'classes_2': _named(won[1], names),
  }


def _contested(context: Context) -> pd.DataFrame:
  correct = context.correct
  chosen = contested(correct, context.ids.tolist(), context.options.seed)
  labels = context.split.labels[chosen]
  return table_io.typed(
    'contested',
    {
      'id': [str(context.ids[i]) for i in chosen],
      'label': labels,
      'class_name': [str(context.class_names[label]) for label in labels],
      'models_right': correct[:, chosen].sum(axis=0),
      'right': [
        ''.join('ny'[int(right)] for right in correct[:, i]) for i in chosen
      ],
    },
  )


def _text(value: Any) -> str:
  return json.dumps(value, ensure_ascii=False, separators=(',', ':'))


def _named(won: Classes, names: Sequence[str]) -> str:
  return _text([[str(names[int(c)]), *values] for c, *values in won])

"""Representation similarity of each pair, and its relation to errors.

Models without features are left out. If a model has NaN or infinite features,
or the same features for all examples, the similarities of its pairs are
missing.
"""

from typing import Any

import numpy as np
import pandas as pd
from absl import logging

from overlap.analyses import correctness, overview
from overlap.analyses.context import Context
from overlap.analyses.pairs import take
from overlap.analyses.similarity import chosen as chosen_lib
from overlap.analyses.similarity import correlations, pairwise
from overlap.catalog import categories
from overlap.core import lookup
from overlap.tables import schemas, table_io

TABLES = ('similarity', 'similarity_correlations')
# Float32 sums in another order, on another machine or with another number of
# threads, change CKA by 2e-8 and CCA by 3e-7 (measured). Rounding makes the
# tables equal there. The choice of examples has a larger effect.
_DECIMALS = 4


def measure_similarity(context: Context) -> dict[str, pd.DataFrame]:
  """Compares the features of the requested pairs and of pairs with the base.

  Returns:
    'similarity' has the requested pairs, the models in the order of the table
    of models; 'similarity_correlations' is limited to the accuracy window, as
    'correlations' is. Both are empty for fewer than two models with features.
  """
  widths = _widths(context)
  index, listed = overview.measured_pairs(context)
  both = np.isin(index, list(widths)).all(axis=1)
  index, listed = index[both], listed[both]
  if not len(index):
    return {name: table_io.typed(name, _empty(name)) for name in TABLES}
  columns = _columns(context, widths, index)
  return {
    'similarity': table_io.typed('similarity', take(columns, listed)),
    'similarity_correlations': correlations.table(
      overview.scopes(context, columns, index, listed),
      confidence=context.options.confidence,
    ),
  }


def _empty(name: str) -> dict[str, list]:
  return {column: [] for column in schemas.SCHEMAS[name]}


def _widths(context: Context) -> dict[int, int]:
  """Returns feature dimensions per model, and logs the models without."""
  split = context.split
  widths: dict[int, int] = {}
  for i, name in enumerate(context.names):
    record = split.reader.record(split.dataset, split.split, name)
    entry = (record or {'arrays': {}})['arrays'].get('features')
    if entry and entry['shape'][1]:
      widths[i] = int(entry['shape'][1])
  without = [n for i, n in enumerate(context.names) if i not in widths]
  if without:
    logging.info(
      'without features, in no similarity: %s%s', lookup.few(without),
      '' if len(widths) > 1 else '; two models with features are needed',
    )  # fmt: skip
  return widths


def _columns(
  context: Context, widths: dict[int, int], index: np.ndarray
) -> dict[str, Any]:
  """Returns the columns of pairs of models that all have features."""
  asked = context.options.similarity
  chosen = chosen_lib.choose(context.ids, asked, context.options.seed)
  place = {model: i for i, model in enumerate(np.unique(index).tolist())}
  measured = pairwise.measure_pairwise(
    [
      chosen_lib.StoredFeatures(
        context.split, context.names[i], widths[i], chosen.rows
      )
      for i in place
    ],
    [(place[one], place[two]) for one, two in index.tolist()],
    chosen.near,
    asked,
  )
  _warn(context, index, measured.cka)
  counts = correctness.pair_counts(context.correct).at(*index.T)
  many = np.full(len(index), len(chosen.rows))
  return {
    **_identity(context, index),
    'n': many,
    **{
      name: getattr(measured, name).round(_DECIMALS)
      for name in pairwise.MEASURES
    },
    'error_inconsistency': correctness.error_inconsistency(counts),
    'directions_1': measured.directions[:, 0],
    'directions_2': measured.directions[:, 1],
    'neighbours': np.full(len(index), asked.neighbours),
    'neighbour_examples': np.full(len(index), len(chosen.near)),
  }


def _identity(context: Context, index: np.ndarray) -> dict[str, list[str]]:
  pairs = [(context.members[i], context.members[j]) for i, j in index]
  return {
    'model_1': [one.name for one, _ in pairs],
    'model_2': [two.name for _, two in pairs],
    'category': [
      categories.pair_category(one.axes, two.axes, one.category, two.category)
      for one, two in pairs
    ],
  }


def _warn(context: Context, index: np.ndarray, values: np.ndarray) -> None:
  """Warns of models with features but no similarity with any other model."""
  lost = [
    context.names[i]
    for i in np.unique(index)
    if np.isnan(values[(index == i).any(axis=1)]).all()
  ]
  if lost:
    logging.warning(
      'no similarities with %s: features must be finite and not the same for '
      'all examples', lookup.few(lost),
    )  # fmt: skip

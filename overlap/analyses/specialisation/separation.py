"""The table 'specialisation': confidence of the model that is right."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from overlap.analyses import stats, summaries
from overlap.analyses.specialisation import angle, paired
from overlap.analyses.specialisation.views import PairOfModels
from overlap.tables import schemas, table_io

# Columns to correlate with error inconsistency.
_AGAINST = ('theta_separation', 'only_1_confident', 'only_2_confident')


def specialisation_table(
  pairs: Sequence[PairOfModels], *, confidence: float
) -> pd.DataFrame:
  """Measures each pair on its own inconsistent examples.

  Args:
    pairs: pairs of models with confidences, each once.
    confidence: level of the intervals.

  Returns:
    The table 'specialisation'. `theta_only_1` and `theta_only_2` are means of
    theta over examples that only that model gets right; `theta_separation` is
    their difference. `only_1_confident` is the fraction with theta above 0 of
    the examples that only model 1 gets right; `only_2_confident` is the
    fraction with theta below 0 of those that only model 2 gets right.
    `..._decisive` are the fractions beyond the threshold that decides under
    probability averaging.
  """
  rows = [_row(pair, confidence) for pair in pairs]
  return table_io.typed(
    'specialisation',
    {
      name: [row[name] for row in rows]
      for name in schemas.SCHEMAS['specialisation']
    },
  )


def _row(pair: PairOfModels, confidence: float) -> dict[str, Any]:
  theta, outcomes = pair.measures()['theta'], pair.outcomes
  counts = np.bincount(outcomes, minlength=4)
  sides = {
    'only_1': theta[outcomes == angle.OUTCOMES.index('only_1')],
    'only_2': theta[outcomes == angle.OUTCOMES.index('only_2')],
  }
  row: dict[str, Any] = pair.identity
  row |= {'n': len(theta), 'only_1': counts[1], 'only_2': counts[2]}
  row['error_inconsistency'] = (counts[1] + counts[2]) / max(len(theta), 1)
  for side, values in sides.items():
    row |= _bounded(f'theta_{side}', paired.mean(values, confidence=confidence))
  row |= _bounded(
    'theta_separation',
    paired.separation(*sides.values(), confidence=confidence),
  )
  for side, sign in (('only_1', 1), ('only_2', -1)):
    values = sign * sides[side][~np.isnan(sides[side])]
    for name, above in (('confident', 0.0), ('decisive', angle.THRESHOLD)):
      share = _share(values > above, confidence)
      row |= _bounded(f'{side}_{name}', share)
  return row


def _share(hits: np.ndarray, confidence: float) -> tuple[float, float, float]:
  share = float(hits.mean()) if len(hits) else float('nan')
  lower, upper = stats.wilson(
    np.array(hits.sum()), np.array(len(hits)), confidence=confidence
  )
  return share, float(lower), float(upper)


def _bounded(name: str, values: tuple[float, float, float]) -> dict[str, float]:
  return dict(zip((name, f'{name}_lower', f'{name}_upper'), values))


def correlations_table(
  table: pd.DataFrame, *, confidence: float
) -> pd.DataFrame:
  """Correlates specialisation with error inconsistency over pairs of a base.

  Args:
    table: rows of 'specialisation', each of another model with the base.
    confidence: level of the intervals, which are jackknifed over models.

  Returns:
    The table 'specialisation_correlations', in the form of 'correlations'.
  """
  rows: dict[str, list] = {
    name: [] for name in schemas.SCHEMAS['specialisation_correlations']
  }
  for name in _AGAINST:
    known = table.dropna(subset=['error_inconsistency', name])
    x, y = known['error_inconsistency'].to_numpy(), known[name].to_numpy()
    others = np.arange(len(known))[:, np.newaxis]
    row = summaries.correlation_row(
      name, 'base', x, y, others, confidence=confidence
    )
    for column, value in row.items():
      rows[column].append(value)
  return table_io.typed('specialisation_correlations', rows)

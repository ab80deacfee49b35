"""Cost of one image for each model: parameters and operations.

Costs are recorded when a model predicts; ingested predictions have none.
"""

import numpy as np
import pandas as pd

from overlap.analyses.context import Context
from overlap.tables import table_io

_FIELDS = ('parameters', 'flops')


def measure_costs(context: Context) -> dict[str, pd.DataFrame]:
  """Returns the table 'costs', a row for each model; unknown is empty."""
  rows = [_recorded(context, name) for name in context.names]
  columns = {field: [row.get(field) for row in rows] for field in _FIELDS}
  return {'costs': table_io.typed('costs', {'model': context.names, **columns})}


def flops(context: Context) -> np.ndarray:
  """Operations of each model's forward pass of one image, float64 `[models]`.

  Unknown values are NaN.
  """
  found = [_recorded(context, name).get('flops') for name in context.names]
  return np.array([np.nan if f is None else f for f in found], np.float64)


def _recorded(context: Context, name: str) -> dict[str, int | None]:
  where = context.split
  record = where.reader.record(where.dataset, where.split, name)
  return (record or {}).get('costs') or {}

"""The paper's four tables, row by row, as it printed them.

Source: Gontijo-Lopes, Dauphin and Cubuk, "No One Representation to Rule Them
All: Overlapping Features of Training Methods", ICLR 2022, appendix A.3. The
figures are facts, copied into `table1.csv` to `table4.csv`:

1. the models of the main analysis, within 74-78 % accuracy;
2. high-accuracy models (Fig. 5 and 7);
3. low-accuracy models that are trained very differently (Sec. 4.5, Fig. 5);
4. hyper-parameter sweeps that missed the accuracy range.

`accuracy` and `ensemble_accuracy` are per cent there, `error_inconsistency` is
a fraction; the last two are measured against the base, a ResNet-50 of 76.5 %
that no table lists. An empty citation is empty in the paper. What the paper
says outside of its tables is in `published`.
"""

import importlib.resources

import pandas as pd

from overlap.core import lookup

TABLES = (1, 2, 3, 4)


def table(number: int) -> pd.DataFrame:
  """One of the paper's tables, in its order and its units.

  Columns of table 4: model, method, head, accuracy, category. The others have
  citation, temperature, error_inconsistency and ensemble_accuracy as well.

  Raises:
    UsageError: the paper has no table of that number.
  """
  lookup.check_choice('table of the paper', str(number), map(str, TABLES))
  file = importlib.resources.files(__name__).joinpath(f'table{number}.csv')
  with file.open(encoding='utf-8') as f:
    frame = pd.read_csv(f)
  if 'citation' in frame:
    frame['citation'] = frame['citation'].fillna('')
  return frame

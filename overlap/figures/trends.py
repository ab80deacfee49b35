"""From how many points on a trend is told of, and what is said below that.

Tables hold every number that can be computed; what people read doesn't state
one that could hardly be otherwise.
"""

from collections.abc import Mapping
from typing import Any

from overlap.figures import wording

# Two points always lie on a line, so that r is 1 or −1 whatever was measured,
# and three or four come near one by chance: of four points without any trend,
# every tenth set has |r| of 0.9 and more.
POINTS = 5
# Of two categories, any order is the paper's or its reverse: τ is 1 or −1.
CATEGORIES = 3

Row = Mapping[str, Any]


def enough(row: Row) -> bool:
  """Whether a row of correlations is over enough points to tell of it."""
  return int(row['n']) >= POINTS


def too_few(row: Row) -> str:
  """What is said in the place of a correlation: no sentence yet."""
  return f'too few pairs ({wording.count(row["n"])}) for a correlation'


def r(row: Row) -> str:
  """A correlation with its interval, as a panel has it, or `too_few`."""
  if not enough(row):
    return too_few(row)
  return f'r = {wording.decimal(row["pearson"], row["lower"], row["upper"])}'

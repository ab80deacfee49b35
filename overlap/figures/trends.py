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
  """Returns whether a row of correlations has enough points to report."""
  return int(row['n']) >= POINTS


def too_few(row: Row) -> str:
  """Returns the text shown in place of a correlation; not a full sentence."""
  return f'too few pairs ({wording.count(row["n"])}) for a correlation'


def r(row: Row) -> str:
  """A correlation with its interval, as a panel has it, or `too_few`."""
  if not enough(row):
    return too_few(row)
  return f'r = {wording.decimal(row["pearson"], row["lower"], row["upper"])}'

"""Minimal numbers of points for reporting a trend, and texts below them.

Tables hold every number that can be computed; figures and texts leave out
those that are nearly determined by the small number of points.
"""

from collections.abc import Mapping
from typing import Any

from overlap.core import wording

# Two points always lie on a line, so that r is 1 or −1, and three or four are
# often close to one by chance: without any trend, a tenth of the sets of four
# points have |r| >= 0.9.
POINTS = 5
# With two categories, τ is always 1 or −1.
CATEGORIES = 3

Row = Mapping[str, Any]


def enough(row: Row) -> bool:
  """Returns whether a row of correlations has enough points to report."""
  return int(row['n']) >= POINTS


def too_few(row: Row) -> str:
  """Returns the text shown in place of a correlation; not a full sentence."""
  return f'too few pairs ({wording.count(row["n"])}) for a correlation'


def r(row: Row) -> str:
  """Returns the text of a correlation with its interval, or `too_few`."""
  if not enough(row):
    return too_few(row)
  return f'r = {wording.decimal(row["pearson"], row["lower"], row["upper"])}'

"""Splits of the examples for choosing members and for scoring the ensemble."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# Values of the column 'half': one half, both halves together, or no halves.
HALVES = ('1', '2')
BOTH, ALL = 'both', 'all'


class Part(NamedTuple):
  """Example masks of one selection of ensemble members.

  Attributes:
    protocol: a key of `options.PROTOCOLS`.
    half: half of the examples that is scored, '1', '2' or 'all'.
    chosen_on: examples on which members are chosen, bool `[examples]`.
    scored_on: examples on which the ensemble is scored, bool `[examples]`.
  """

  protocol: str
  half: str
  chosen_on: np.ndarray
  scored_on: np.ndarray


def parts(halves: np.ndarray, protocols: Sequence[str]) -> list[Part]:
  """Returns the selections that the protocols ask for.

  Args:
    halves: half of each example, int `[examples]`, 0 or 1.
    protocols: keys of `options.PROTOCOLS`.
  """
  found = []
  for protocol in protocols:
    if protocol == 'optimistic':
      everything = np.ones(len(halves), bool)
      found.append(Part(protocol, ALL, everything, everything))
      continue
    for number, half in enumerate(HALVES):
      mine = halves == number
      found.append(Part(protocol, half, ~mine, mine))
  return found

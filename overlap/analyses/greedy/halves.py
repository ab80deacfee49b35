"""On which examples members are chosen, and on which the ensemble is scored."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# What is scored: one half, both halves together, or all without halves.
HALVES = ('1', '2')
BOTH, ALL = 'both', 'all'


class Part(NamedTuple):
  """One choice of members.

  Attributes:
    protocol: a key of `options.PROTOCOLS`.
    half: what is scored, '1', '2' or 'all'.
    chosen_on: bool `[examples]`.
    scored_on: bool `[examples]`.
  """

  protocol: str
  half: str
  chosen_on: np.ndarray
  scored_on: np.ndarray


def parts(halves: np.ndarray, protocols: Sequence[str]) -> list[Part]:
  """Every choice of members that the protocols ask for.

  Args:
    halves: int `[examples]`, 0 or 1.
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

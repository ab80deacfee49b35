"""Options of the analysis of transfer."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from overlap.analyses import checks
from overlap.analyses.probing import options as probing_options
from overlap.analyses.specialisation import options as specialisation_options
from overlap.core import errors


@dataclasses.dataclass(frozen=True)
class Transfer:
  """Options of transfer: the data set, its splits and the scores.

  Normalisation and solver are set by the options of probing.

  Attributes:
    dataset: data set in the store with features of the models; '': none, and
      the tables are empty.
    train: split that probes are fitted on.
    heldout: split on which strengths are chosen.
    test: split on which probes are scored, once.
    models: models to probe, alone and in pairs; if empty, the base and the most
      accurate models of ARCH, FRAMEWORK and DATASET within the window.
    groups: mapping from names to classes, as for specialisation. Each group is
      an additional label of the images with one of its classes, so that images
      have several labels.
    strengths: number of values of L2, evenly spaced in the logarithm.
    weakest: smallest value of L2.
    strongest: largest value of L2.
    permutations: number of permutations of the test of a pair's gain over its
      better model; 0: no test.
  """

  dataset: str = ''
  train: str = 'transfer_train'
  heldout: str = 'transfer_heldout'
  test: str = 'transfer_test'
  models: Sequence[str] = ()
  groups: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  strengths: int = 45
  weakest: float = 1e-6
  strongest: float = 1e5
  permutations: int = 1000


def check_transfer_options(given: Transfer) -> None:
  """Raises UsageError for invalid values."""
  checks.integer('transfer.strengths', given.strengths, 1)
  checks.integer('transfer.permutations', given.permutations, 0)
  probing_options.check_ends('transfer', given.weakest, given.strongest)
  specialisation_options.check_groups('transfer.groups', given.groups)
  if isinstance(given.models, str) or len(set(given.models)) < len(
    given.models
  ):
    raise errors.UsageError(
      'Option transfer.models must be a list of different models, got '
      f'{given.models!r}.'
    )

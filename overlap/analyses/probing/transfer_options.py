"""What the analysis of transfer can be told."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from overlap import errors
from overlap.analyses import checks
from overlap.analyses.probing import options as probing_options
from overlap.analyses.specialisation import options as specialisation_options


@dataclasses.dataclass(frozen=True)
class Transfer:
  """To which other data set features are taken, and how they are scored.

  How features are normalised and fits solved is said by the options of
  probing.

  Attributes:
    dataset: in the store, with features of the models; '': none, and the
      tables are empty.
    train: its split that probes are fitted on.
    heldout: by which strengths are chosen.
    test: on which probes are scored, once.
    models: which are taken, alone and in pairs; the base and, of ARCH,
      FRAMEWORK and DATASET, the most accurate within the window if empty.
    groups: name -> classes, as for specialisation: whether an image's class
      is one of them is a further label, so that there are several an image.
    strengths: how many values of L2, evenly spaced in the logarithm.
    weakest: the least of them.
    strongest: the greatest.
    permutations: of the test that a pair is no better than the better of its
      two; 0: none.
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


def check(given: Transfer) -> None:
  """Raises UsageError for values that can't be."""
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

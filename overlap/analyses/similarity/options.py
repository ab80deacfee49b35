"""What the comparison of representations can be told."""

import dataclasses

from overlap import errors, lookup
from overlap.analyses import checks

NORMALISATIONS = {
  'l2': "each example's vector has length 1",
  'standardise': 'each dimension has mean 0 and variance 1 over the examples',
  'both': 'the first, then the second',
  'none': 'the features as they are',
}


@dataclasses.dataclass(frozen=True)
class Similarity:
  """How representations are compared.

  Attributes:
    normalise: a key of `NORMALISATIONS`, done before anything else.
    max_examples: at most so many examples, drawn by a hash of their ids and
      the seed; 0: all.
    variance: share of the variance that the principal directions keep among
      which canonical correlations are taken; 0: no CCA.
    neighbours: of each example, k; 0: no nearest neighbours.
    neighbour_examples: examples among which neighbours are looked for, at
      most, the first of those above in the order of the hash.
  """

  normalise: str = 'l2'
  max_examples: int = 10_000
  variance: float = 0.99
  neighbours: int = 10
  neighbour_examples: int = 2000


def check(given: Similarity) -> None:
  """Raises UsageError for values that can't be."""
  lookup.check('similarity.normalise', given.normalise, NORMALISATIONS)
  checks.integer('similarity.max_examples', given.max_examples, 0)
  checks.integer('similarity.neighbours', given.neighbours, 0)
  checks.integer('similarity.neighbour_examples', given.neighbour_examples, 0)
  if not checks.is_number(given.variance) or not 0 <= given.variance < 1:
    raise errors.UsageError(
      'Option similarity.variance must be a share within (0, 1), such as 0.99, '
      f'or 0 for no canonical correlations, got {given.variance!r}.'
    )

"""Options of the comparison of representations."""

import dataclasses

from overlap.analyses import checks
from overlap.core import errors, lookup

NORMALISATIONS = {
  'l2': "each example's vector has length 1",
  'standardise': 'each dimension has mean 0 and variance 1 over the examples',
  'both': 'the first, then the second',
  'none': 'the features as they are',
}


@dataclasses.dataclass(frozen=True)
class Similarity:
  """Options of the comparison of representations.

  Attributes:
    normalise: a key of `NORMALISATIONS`, applied before anything else.
    max_examples: largest number of examples, drawn by a hash of their ids and
      the seed; 0: all.
    variance: fraction of the variance kept by the principal directions for
      canonical correlations; 0: no CCA.
    neighbours: number of neighbours k; 0: no nearest neighbours.
    neighbour_examples: largest number of examples for the neighbour search, the
      first of the above in the order of the hash.
  """

  normalise: str = 'l2'
  max_examples: int = 10_000
  variance: float = 0.99
  neighbours: int = 10
  neighbour_examples: int = 2000


def check_similarity_options(given: Similarity) -> None:
  """Raises UsageError for invalid values."""
  lookup.check_choice('similarity.normalise', given.normalise, NORMALISATIONS)
  checks.integer('similarity.max_examples', given.max_examples, 0)
  checks.integer('similarity.neighbours', given.neighbours, 0)
  checks.integer('similarity.neighbour_examples', given.neighbour_examples, 0)
  if not checks.is_number(given.variance) or not 0 <= given.variance < 1:
    raise errors.UsageError(
      'Option similarity.variance must be a share within (0, 1), such as 0.99, '
      f'or 0 for no canonical correlations, got {given.variance!r}.'
    )

"""All similarities of pairs of models from their features."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from overlap.analyses.similarity import cca as cca_lib
from overlap.analyses.similarity import cka as cka_lib
from overlap.analyses.similarity import (
  grams,
  neighbours,
  options,
  products,
  representation,
)
from overlap.analyses.similarity.options import Similarity
from overlap.analyses.similarity.representation import Source
from overlap.core import progress


class Similarities(NamedTuple):
  """Similarities of pairs, each `[pairs]`; NaN where undefined.

  Attributes:
    cka: linear CKA, within [0, 1].
    cka_debiased: linear CKA from unbiased estimators, within [-1, 1].
    cca: mean canonical correlation, within [0, 1].
    mutual_knn: fraction of nearest neighbours in common, within [0, 1].
    directions: number of principal directions of each model, int `[pairs, 2]`;
      0 without CCA.
  """

  cka: np.ndarray
  cka_debiased: np.ndarray
  cca: np.ndarray
  mutual_knn: np.ndarray
  directions: np.ndarray


MEASURES = ('cka', 'cka_debiased', 'cca', 'mutual_knn')
# Values of an undefined pair: the four measures and no directions.
_NOTHING: tuple[float, ...] = (np.nan, np.nan, np.nan, np.nan, 0, 0)


class _Own:
  """Quantities of each model that all of its pairs use."""

  def __init__(self, count: int):
    self.norms: dict[int, np.ndarray] = {}
    self.self_squared: dict[int, float] = {}
    self.self_unbiased: dict[int, float] = {}
    self.white: dict[int, np.ndarray] = {}
    self.near: list[np.ndarray | None] = [None] * count

  def keep(self, i: int, gram: np.ndarray, variance: float) -> None:
    """Stores the norms and whitening of a model's Gram matrix."""
    squared = cka_lib.squared_norm(gram)
    self.self_squared[i] = squared
    self.self_unbiased[i] = cka_lib.unbiased(
      squared, self.norms[i], self.norms[i]
    )
    if variance and np.isfinite(squared):
      self.white[i] = cca_lib.whitening(gram, variance)


def linear_cka(
  x: np.ndarray,
  y: np.ndarray,
  *,
  debiased: bool = False,
  normalise: str = 'l2',
) -> float:
  """Linear CKA of two representations of the same examples.

  Args:
    x: `[examples, dimensions_1]`.
    y: `[examples, dimensions_2]`.
    debiased: whether HSIC is estimated without bias, which matters with at
      least as many dimensions as examples.
    normalise: a key of `options.NORMALISATIONS`.

  Returns:
    A value within [0, 1], or [-1, 1] if debiased; NaN if a representation is
    constant or has NaN or infinite values, or if HSIC is debiased with fewer
    than four examples.

  Raises:
    UsageError: the normalisation is unknown.
    ValueError: the numbers of examples differ.
  """
  asked = Similarity(normalise=normalise, variance=0.0, neighbours=0)
  options.check_similarity_options(asked)
  found = measure_pairwise([x, y], [(0, 1)], np.empty(0, np.int64), asked)
  return float((found.cka_debiased if debiased else found.cka)[0])


def measure_pairwise(
  sources: Sequence[Source],
  pairs: Sequence[grams.Pair],
  near: np.ndarray,
  asked: Similarity,
  *,
  backend: str | None = None,
) -> Similarities:
  """Measures pairs of models; each model's Gram matrix is computed once.

  Args:
    sources: features of each model for the same examples.
    pairs: indices of two different models, the lower first.
    near: positions of the examples for the neighbour search, ascending.
    asked: options; `max_examples` is already applied.
    backend: a key of `products.BACKENDS`; None for the default of the device.

  Raises:
    ValueError: the models have different numbers of examples.
  """
  if len({source.shape[0] for source in sources}) > 1:
    raise ValueError('All models must have features of the same examples.')
  device, own = products.backend(backend), _Own(len(sources))
  moments = list(_scan(sources, near, asked, own))
  usable = [m.finite == len(m.row) > 0 for m in moments]
  found = dict.fromkeys(sorted({*pairs}), _NOTHING)
  passes = grams.plan(
    [source.shape[1] for source in sources],
    [pair for pair in found if usable[pair[0]] and usable[pair[1]]],
  )
  features = grams.Centred(sources, moments)
  work = (
    made
    for taken in passes
    for made in grams.products(features, taken, own.norms, device)
  )
  total = sum(len(taken.pairs) for taken in passes)
  for (one, two), cross in progress.track(
    work, total=total, what='similarity', unit='product'
  ):
    if one == two:
      constant = representation.is_constant(own.norms[one].sum(), moments[one])
      own.keep(one, cross * np.nan if constant else cross, asked.variance)
    else:
      found[one, two] = _similarities((one, two), cross, own, asked)
  rows = np.array([found[pair] for pair in pairs], np.float64).reshape(-1, 6)
  values, directions = rows[:, :4], rows[:, 4:]
  cka, debiased, cca, mutual_knn = values.T
  return Similarities(cka, debiased, cca, mutual_knn, directions.astype(int))


def _scan(
  sources: Sequence[Source], near: np.ndarray, asked: Similarity, own: _Own
) -> Iterator[representation.Moments]:
  """Yields each model's moments and stores its nearest neighbours."""
  for i, source in progress.track(
    enumerate(sources), total=len(sources), what='features', unit='model'
  ):
    moments = representation.scan(source, asked.normalise, near)
    if moments.finite == len(moments.row):
      rows = representation.normalised(moments.near, moments.row[near], moments)
      own.near[i] = neighbours.nearest(rows, asked.neighbours)
    yield moments._replace(near=moments.near[:0])


def _similarities(
  pair: grams.Pair, cross: np.ndarray, own: _Own, asked: Similarity
) -> tuple[float, ...]:
  one, two = pair
  squared = cka_lib.squared_norm(cross)
  cka = cka_lib.cka(squared, own.self_squared[one], own.self_squared[two])
  if np.isnan(cka):  # A representation is constant.
    return _NOTHING
  unbiased = cka_lib.unbiased(squared, own.norms[one], own.norms[two])
  cca, directions = float('nan'), (0, 0)
  if asked.variance:
    white_1, white_2 = own.white[one], own.white[two]
    directions = white_1.shape[1], white_2.shape[1]
    cca = cca_lib.mean_correlation(cross, white_1, white_2, len(own.norms[one]))
  return (
    cka,
    cka_lib.cka(unbiased, own.self_unbiased[one], own.self_unbiased[two]),
    cca,
    neighbours.agreement(own.near[one], own.near[two], asked.neighbours),
    *directions,
  )

"""Options of the analyses, with defaults and checks."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from overlap.analyses import calibration, checks, clusters, ensembles, stats
from overlap.analyses.allpairs import engine
from overlap.analyses.greedy import options as greedy_options
from overlap.analyses.interpolation import options as interpolation_options
from overlap.analyses.interpolation.options import Interpolation
from overlap.analyses.probing import options as probing_options
from overlap.analyses.probing import transfer_options
from overlap.analyses.probing.options import Probing
from overlap.analyses.probing.transfer_options import Transfer
from overlap.analyses.similarity import options as similarity_options
from overlap.analyses.similarity.options import Similarity
from overlap.analyses.specialisation import options as specialisation_options
from overlap.analyses.specialisation.options import Specialisation
from overlap.core import errors, lookup
from overlap.tables import schemas


@dataclasses.dataclass(frozen=True)
class Options:
  """Options of the analyses.

  Attributes:
    tables: tables to return, keys of `overlap.tables.table_io.SCHEMAS`.
    calibration: a key of `calibration.OBJECTIVES`.
    folds: number of folds of the cross-fitting, at least 2.
    methods: keys of `ensembles.METHODS`; columns without suffix use the first.
    resamples: number of bootstrap resamples; 0: no intervals for pairs.
    confidence: level of all intervals, within (0, 1).
    accuracy_interval: interval of accuracies in the table of models, a key of
      `stats.PROPORTION_INTERVALS`.
    summary_interval: interval of the tables 'categories' and 'correlations', a
      key of `clusters.INTERVALS`; all other intervals over models are
      jackknifed.
    window: accuracy window of the models in category means and correlations: a
      half-width around the base's accuracy (0.02: two points to either side),
      or `(lower, upper)`; 0, '' or None: all models.
    greedy: options of the search for ensembles of more than two.
    seed: seed of the folds and of the bootstrap.
    memory_mb: memory for the examples of all models, in MiB, at least 1;
      results do not depend on it.
    specialisation: options of the pairs and groups of classes to compare.
    interpolation: options of ensembles with unequal weights.
    probing: options of probes on stored features.
    transfer: options of the transfer of features to another data set.
    similarity: options of the comparison of representations.
  """

  tables: Sequence[str] = tuple(schemas.SCHEMAS)
  calibration: str = 'nll'
  folds: int = 5
  methods: Sequence[str] = tuple(ensembles.METHODS)
  resamples: int = 1000
  confidence: float = 0.95
  accuracy_interval: str = 'wilson'
  summary_interval: str = 'jackknife'
  window: float | Sequence[float] | str | None = 0.0
  greedy: greedy_options.Greedy = greedy_options.DEFAULTS
  seed: int = 0
  memory_mb: int = engine.MEMORY_MB
  specialisation: Specialisation = dataclasses.field(default=Specialisation())
  interpolation: Interpolation = dataclasses.field(default=Interpolation())
  probing: Probing = dataclasses.field(default=Probing())
  transfer: Transfer = dataclasses.field(default=Transfer())
  similarity: Similarity = dataclasses.field(default=Similarity())

  def bounds(self, base_accuracy: float) -> tuple[float, float]:
    """Returns the lower and upper accuracy of the window."""
    if not self.window:
      return 0.0, 1.0
    if isinstance(self.window, Sequence):
      lower, upper = map(float, self.window)
      return lower, upper
    # The tolerance keeps rounding from excluding accuracies at the ends.
    reach = self.window + 1e-9
    return base_accuracy - reach, base_accuracy + reach


def parse(given: Mapping[str, Any] | None) -> Options:
  """Checks options and fills in the defaults.

  Raises:
    UsageError: an option is unknown, or a value is invalid.
  """
  options = checks.filled(Options, given or {})
  lookup.check_choice(
    'calibration', options.calibration, calibration.OBJECTIVES
  )
  checks.names('table', options.tables, schemas.SCHEMAS)
  checks.names('ensemble method', options.methods, ensembles.METHODS)
  checks.integer('folds', options.folds, 2)
  checks.integer('resamples', options.resamples, 0)
  checks.integer('seed', options.seed, 0)
  checks.integer('memory_mb', options.memory_mb, 1)
  checks.level('confidence', options.confidence)
  lookup.check_choice(
    'interval of accuracies',
    options.accuracy_interval,
    stats.PROPORTION_INTERVALS,
  )
  lookup.check_choice(
    'interval of means and correlations',
    options.summary_interval,
    clusters.INTERVALS,
  )
  _check_window(options.window)
  specialisation_options.check_specialisation_options(options.specialisation)
  interpolation_options.check_interpolation_options(options.interpolation)
  greedy_options.check_greedy_options(options.greedy)
  similarity_options.check_similarity_options(options.similarity)
  probing_options.check_probing_options(options.probing)
  transfer_options.check_transfer_options(options.transfer)
  return options


def _check_window(window: Any) -> None:
  if window in ('', None) or (checks.is_number(window) and 0 <= window < 1):
    return
  if (
    isinstance(window, Sequence)
    and not isinstance(window, str)
    and len(window) == 2
    and all(map(checks.is_number, window))
    and 0 <= window[0] < window[1] <= 1
  ):
    return
  raise errors.UsageError(
    'Option window must be a half-width around the accuracy of the base or '
    '[lower, upper], as fractions (0.02 is two points), or 0 for all models, '
    f'got {window!r}.'
  )

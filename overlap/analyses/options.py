"""What an analysis can be told, with its defaults and checks."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from overlap import errors, lookup, tables
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


@dataclasses.dataclass(frozen=True)
class Options:
  """How to analyse.

  Attributes:
    tables: which tables to return, of `overlap.tables.SCHEMAS`.
    calibration: a key of `calibration.OBJECTIVES`.
    folds: of the cross-fitting, at least 2.
    methods: keys of `ensembles.METHODS`; the columns without suffix describe
      the first.
    resamples: of the bootstrap; 0: no intervals for pairs.
    confidence: level of all intervals, within (0, 1).
    accuracy_interval: of the accuracies in the table of models, a key of
      `stats.PROPORTION_INTERVALS`.
    summary_interval: of the tables 'categories' and 'correlations', a key of
      `clusters.INTERVALS`; all other intervals over models are jackknifed.
    window: which models enter category means and correlations, by accuracy:
      within this fraction of the base's (0.02: two points to either side), or
      `(lower, upper)`; 0, '' or None: all.
    greedy: how ensembles of more than two are searched for.
    seed: of the folds and of the bootstrap.
    memory_mb: how many MiB the examples of all models that are held at once
      may take, at least 1; no result depends on it.
    specialisation: which pairs and groups of classes to look into.
    interpolation: which pairs to weigh unequally, and how.
    probing: how probes are fitted on features that the store holds.
    transfer: to which other data set features are taken, and how.
    similarity: how representations are compared.
  """

  tables: Sequence[str] = tuple(tables.SCHEMAS)
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
    """The accuracies between which models are within the window."""
    if not self.window:
      return 0.0, 1.0
    if isinstance(self.window, Sequence):
      lower, upper = map(float, self.window)
      return lower, upper
    # Two accuracies that differ by the half-width are within, rounded or not.
    reach = self.window + 1e-9
    return base_accuracy - reach, base_accuracy + reach


def parse(given: Mapping[str, Any] | None) -> Options:
  """Checks options and fills in the defaults.

  Raises:
    UsageError: an unknown option, or a value that it can't have.
  """
  options = checks.filled(Options, given or {})
  lookup.check('calibration', options.calibration, calibration.OBJECTIVES)
  checks.names('table', options.tables, tables.SCHEMAS)
  checks.names('ensemble method', options.methods, ensembles.METHODS)
  checks.integer('folds', options.folds, 2)
  checks.integer('resamples', options.resamples, 0)
  checks.integer('seed', options.seed, 0)
  checks.integer('memory_mb', options.memory_mb, 1)
  checks.level('confidence', options.confidence)
  lookup.check(
    'interval of accuracies',
    options.accuracy_interval,
    stats.PROPORTION_INTERVALS,
  )
  lookup.check(
    'interval of means and correlations',
    options.summary_interval,
    clusters.INTERVALS,
  )
  _check_window(options.window)
  specialisation_options.check(options.specialisation)
  interpolation_options.check(options.interpolation)
  greedy_options.check(options.greedy)
  similarity_options.check(options.similarity)
  probing_options.check(options.probing)
  transfer_options.check(options.transfer)
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

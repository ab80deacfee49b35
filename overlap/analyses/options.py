"""What an analysis can be told, with its defaults and checks."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from overlap import errors, lookup, tables
from overlap.analyses import calibration, ensembles


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
    window: which models enter category means and correlations, by accuracy:
      within this fraction of the base's (0.02: two points to either side), or
      `(lower, upper)`; 0, '' or None: all.
    seed: of the folds and of the bootstrap.
  """

  tables: Sequence[str] = tuple(tables.SCHEMAS)
  calibration: str = 'nll'
  folds: int = 5
  methods: Sequence[str] = tuple(ensembles.METHODS)
  resamples: int = 1000
  confidence: float = 0.95
  window: float | Sequence[float] | str | None = 0.0
  seed: int = 0

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
  given = dict(given or {})
  fields = [field.name for field in dataclasses.fields(Options)]
  for name in given:
    lookup.check('option of the analysis', name, fields)
  options = Options(**given)
  lookup.check('calibration', options.calibration, calibration.OBJECTIVES)
  _check_names('table', options.tables, tables.SCHEMAS)
  _check_names('ensemble method', options.methods, ensembles.METHODS)
  _check_int('folds', options.folds, 2)
  _check_int('resamples', options.resamples, 0)
  _check_int('seed', options.seed, 0)
  if not _is_number(options.confidence) or not 0 < options.confidence < 1:
    raise errors.UsageError(
      'Option confidence must be a level between 0 and 1, such as 0.95, got '
      f'{options.confidence!r}.'
    )
  _check_window(options.window)
  return options


def _check_names(kind: str, names: Any, choices: Mapping[str, Any]) -> None:
  if isinstance(names, str) or not isinstance(names, Sequence) or not names:
    raise errors.UsageError(
      f'The {kind}s must be a list of {", ".join(choices)}, got {names!r}.'
    )
  for name in names:
    lookup.check(kind, name, choices)


def _check_int(name: str, value: Any, least: int) -> None:
  if not isinstance(value, int) or isinstance(value, bool) or value < least:
    raise errors.UsageError(
      f'Option {name} must be an integer, at least {least}, got {value!r}.'
    )


def _check_window(window: Any) -> None:
  if window in ('', None) or (_is_number(window) and 0 <= window < 1):
    return
  if (
    isinstance(window, Sequence)
    and not isinstance(window, str)
    and len(window) == 2
    and all(map(_is_number, window))
    and 0 <= window[0] < window[1] <= 1
  ):
    return
  raise errors.UsageError(
    'Option window must be a half-width around the accuracy of the base or '
    '[lower, upper], as fractions (0.02 is two points), or 0 for all models, '
    f'got {window!r}.'
  )


def _is_number(value: Any) -> bool:
  return isinstance(value, (int, float)) and not isinstance(value, bool)

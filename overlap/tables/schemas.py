"""The columns of every table, in their order, each with its type."""

from collections.abc import Mapping

TEXT, COUNT, NUMBER = 'str', 'int64', 'float64'
# These may be missing, as may numbers.
MAYBE_COUNT, MAYBE_FLAG = 'Int64', 'boolean'
REQUIRED = ('bool', COUNT)


def _columns(kind: str, names: str) -> dict[str, str]:
  return dict.fromkeys(names.split(), kind)


def _bounds(names: str) -> dict[str, str]:
  """`_lower` and `_upper` columns."""
  ends = ('lower', 'upper')
  return {f'{name}_{end}': NUMBER for name in names.split() for end in ends}


# Columns in their order, each with its type. One row a model, the base first;
# the last two of the measurements are of the pair with the base.
_MODELS = {
  **_columns(TEXT, 'model category method head dataset split'),
  **_columns(COUNT, 'n'),
  **_columns(NUMBER, 'temperature accuracy nll nll_calibrated'),
  **_columns(NUMBER, 'ece ece_calibrated'),
  **_columns(NUMBER, 'error_inconsistency ensemble_accuracy'),
  **_bounds('accuracy error_inconsistency ensemble_accuracy'),
  'in_window': 'bool',
  **_columns(MAYBE_FLAG, 'calibration_converged calibration_bound_hit'),
}
# One row a pair, its models in the order of the models' table.
_PAIRS = {
  **_columns(TEXT, 'model_1 model_2 category dataset split'),
  **_columns(COUNT, 'n both_correct only_1 only_2 neither'),
  **_columns(NUMBER, 'accuracy_1 accuracy_2 error_inconsistency kappa'),
  **_columns(NUMBER, 'ensemble_accuracy gain conversion_rate'),
  **_columns(NUMBER, 'neither_conversion_rate loss_rate'),
  **_columns(NUMBER, 'ensemble_accuracy_probs mcnemar_p mcnemar_p_holm'),
  **_bounds('error_inconsistency kappa gain conversion_rate'),
  **_columns(NUMBER, 'dominance_1 dominance_2'),
  **_columns(MAYBE_COUNT, 'ensemble_correct converted_only_1'),
  **_columns(MAYBE_COUNT, 'converted_only_2 converted_neither lost'),
}
# Means over the pairs of each category with the base.
CATEGORY_MEANS = (
  'error_inconsistency',
  'gain',
  'conversion_rate',
  'both_correct',
  'neither',
  'ensemble_accuracy',
  'gain_over_base',
)
_CATEGORIES = {
  'category': TEXT,
  **_columns(COUNT, 'models pairs'),
  **_columns(NUMBER, ' '.join(CATEGORY_MEANS)),
  **_bounds(' '.join(CATEGORY_MEANS)),
}
# `lower` and `upper` are Pearson's.
_CORRELATIONS = {
  **_columns(TEXT, 'name scope'),
  **_columns(NUMBER, 'pearson slope lower upper'),
  'n': COUNT,
  **_bounds('slope'),
}
SCHEMAS: Mapping[str, Mapping[str, str]] = {
  'models': _MODELS,
  'pairs': _PAIRS,
  'categories': _CATEGORIES,
  'correlations': _CORRELATIONS,
}

"""Columns of every table, in order, with their types.

A study makes all tables unless its config names some.
"""

from collections.abc import Mapping

TEXT, COUNT, NUMBER = 'str', 'int64', 'float64'
# Types that allow missing values, as those of numbers do.
MAYBE_COUNT, MAYBE_FLAG = 'Int64', 'boolean'
REQUIRED = ('bool', COUNT)


def _columns(kind: str, names: str) -> dict[str, str]:
  return dict.fromkeys(names.split(), kind)


def _bounds(names: str) -> dict[str, str]:
  """Returns `_lower` and `_upper` columns."""
  ends = ('lower', 'upper')
  return {f'{name}_{end}': NUMBER for name in names.split() for end in ends}


# One row per model, the base first; the last two of the measurements are those
# of the pair with the base.
_MODELS = {
  **_columns(TEXT, 'model category method head dataset split'),
  **_columns(COUNT, 'n'),
  **_columns(NUMBER, 'temperature accuracy nll nll_calibrated'),
  **_columns(NUMBER, 'ece ece_calibrated'),
  **_columns(NUMBER, 'error_inconsistency ensemble_accuracy'),
  **_bounds('accuracy error_inconsistency ensemble_accuracy'),
  'in_window': 'bool',
  **_columns(MAYBE_FLAG, 'calibration_converged calibration_bound_hit'),
  'calibration_left_out': MAYBE_COUNT,
}
# One row per pair, its models in the order of the models' table.
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
  **_columns(NUMBER, 'kappa_min kappa_max q_statistic double_fault'),
  **_columns(NUMBER, 'disagreement'),
  **_columns(COUNT, 'same_wrong'),
  **_columns(NUMBER, 'agreement_when_wrong'),
  **_bounds('neither_conversion_rate loss_rate'),
}
# Columns with means over the pairs of each category with the base.
CATEGORY_MEANS = (
  'error_inconsistency',
  'gain',
  'conversion_rate',
  'both_correct',
  'neither',
  'ensemble_accuracy',
  'gain_over_base',
  'neither_conversion_rate',
  'loss_rate',
)
_CATEGORIES = {
  'category': TEXT,
  **_columns(COUNT, 'models pairs'),
  **_columns(NUMBER, ' '.join(CATEGORY_MEANS)),
  **_bounds(' '.join(CATEGORY_MEANS)),
}
# Pearson correlations with the bounds `lower` and `upper`.
_CORRELATIONS = {
  **_columns(TEXT, 'name scope'),
  **_columns(NUMBER, 'pearson slope lower upper'),
  'n': COUNT,
  **_bounds('slope'),
}
# Histograms of the views of specialisation, one row per bin.
_THETA = {
  'view': TEXT,
  'panel': COUNT,
  **_columns(TEXT, 'model_1 model_2 category measure group outcome'),
  'bin': COUNT,
  **_columns(NUMBER, 'lower upper'),
  'count': COUNT,
  'ensemble_correct': MAYBE_COUNT,
  'n': COUNT,
}
# Examples of these views as points.
_THETA_EXAMPLES = {
  'view': TEXT,
  'panel': COUNT,
  **_columns(TEXT, 'model_1 model_2 category id'),
  'label': COUNT,
  'class_name': TEXT,
  **_columns(NUMBER, 'confidence_1 confidence_2 theta'),
  'outcome': TEXT,
  'ensemble_correct': MAYBE_FLAG,
}
# Comparison of a pair on some of the classes: groups of them, or each.
_COMPARED = {
  **_columns(COUNT, 'n both_correct only_1 only_2 neither'),
  **_columns(NUMBER, 'accuracy_1 accuracy_2 difference'),
  **_bounds('difference'),
  **_columns(NUMBER, 'mcnemar_p mcnemar_p_holm'),
}
_CLASS_GROUPS = {
  **_columns(TEXT, 'model_1 model_2 category group classes'),
  **_COMPARED,
  'theta': NUMBER,
  **_bounds('theta'),
}
_CLASSES = {
  **_columns(TEXT, 'model_1 model_2 category'),
  'label': COUNT,
  'class_name': TEXT,
  **_COMPARED,
  **_columns(NUMBER, 'q only_1_rate only_2_rate'),
}
_SIDES = (
  'theta_only_1 theta_only_2 theta_separation only_1_confident '
  'only_2_confident only_1_decisive only_2_decisive'
)
_SPECIALISATION = {
  **_columns(TEXT, 'model_1 model_2 category'),
  **_columns(COUNT, 'n only_1 only_2'),
  **_columns(NUMBER, f'error_inconsistency {_SIDES}'),
  **_bounds(_SIDES),
}
# Accuracy by the interpolation weight of two models; `t` is that of the second.
_INTERPOLATION = {
  **_columns(TEXT, 'model_1 model_2 category kind'),
  't': NUMBER,
  **_columns(COUNT, 'correct n'),
  'accuracy': NUMBER,
}
_INTERPOLATION_OPTIMA = {
  **_columns(TEXT, 'model_1 model_2 category kind group_a group_b'),
  'n': COUNT,
  **_columns(NUMBER, 'best_t best_t_lower best_t_upper'),
  **_columns(COUNT, 'correct_best correct_half correct_cross_fitted'),
  **_columns(NUMBER, 'accuracy_best accuracy_half accuracy_cross_fitted'),
  **_columns(NUMBER, 'gain_best gain_cross_fitted'),
  **_bounds('gain_best gain_cross_fitted'),
  **_columns(NUMBER, 't_fold_0 t_fold_1'),
}
# Examples that one ensemble gets right and another does not, and the reverse.
_GAINED = {
  **_columns(MAYBE_COUNT, 'gained lost'),
  **_columns(NUMBER, 'improvement'),
  **_bounds('improvement'),
  **_columns(NUMBER, 'mcnemar_p'),
}
# Greedy forward selection, one row per ensemble from a start on, that of the
# start alone first. `members` is a JSON list, empty if the halves selected
# different ones. `half` is the half reported on: '1', '2', 'both' together, or
# 'all' without halves. The improvement is over the previous step.
_GREEDY = {
  **_columns(TEXT, 'start start_category protocol half'),
  **_columns(COUNT, 'step'),
  **_columns(TEXT, 'added added_category'),
  **_columns(NUMBER, 'added_accuracy'),
  **_columns(TEXT, 'members'),
  **_columns(COUNT, 'size n correct'),
  **_columns(NUMBER, 'accuracy'),
  **_bounds('accuracy'),
  **_GAINED,
  **_columns(NUMBER, 'improvement_over_start'),
  **_bounds('improvement_over_start'),
  **_columns(NUMBER, 'selection_accuracy'),
  'best_prefix': 'bool',
}
# One row per start, the best of its ensembles; the improvement is over the
# start. `size` is empty if the halves selected different ones.
_GREEDY_BEST = {
  **_columns(TEXT, 'start start_category protocol half'),
  **_columns(MAYBE_COUNT, 'size'),
  **_columns(TEXT, 'members'),
  **_columns(COUNT, 'n correct'),
  **_columns(NUMBER, 'accuracy'),
  **_bounds('accuracy'),
  **_columns(NUMBER, 'start_accuracy'),
  **_GAINED,
  **_columns(NUMBER, 'selection_accuracy'),
}
# One row per start and model that may be added to it, the best first.
_FIRST_ADDITIONS = {
  **_columns(TEXT, 'start start_category'),
  **_columns(COUNT, 'rank'),
  **_columns(TEXT, 'added added_category'),
  **_columns(NUMBER, 'start_accuracy added_accuracy'),
  **_columns(COUNT, 'n correct'),
  **_columns(NUMBER, 'accuracy'),
  **_bounds('accuracy'),
  **_GAINED,
  **_columns(NUMBER, 'mcnemar_p_holm'),
}
# One row per size: the best of all subsets, and that of greedy selection.
_SUBSETS = {
  **_columns(TEXT, 'protocol half'),
  **_columns(COUNT, 'size subsets'),
  **_columns(TEXT, 'members'),
  **_columns(COUNT, 'n correct'),
  **_columns(NUMBER, 'accuracy'),
  **_bounds('accuracy'),
  **_columns(NUMBER, 'selection_accuracy'),
  **_columns(TEXT, 'greedy_members'),
  **_columns(COUNT, 'greedy_correct'),
  **_columns(NUMBER, 'greedy_accuracy'),
  **_bounds('greedy_accuracy'),
  **_columns(NUMBER, 'greedy_selection_accuracy'),
}
# One row per pair of models with features, in the order of the models' table.
# `n` is the number of examples whose features are compared; error
# inconsistency is over all examples.
_SIMILARITY = {
  **_columns(TEXT, 'model_1 model_2 category'),
  'n': COUNT,
  **_columns(NUMBER, 'cka cka_debiased cca mutual_knn error_inconsistency'),
  **_columns(COUNT, 'directions_1 directions_2 neighbours neighbour_examples'),
}
_SIMILARITY_CORRELATIONS = {
  **_columns(TEXT, 'name scope'),
  'n': COUNT,
  **{
    column: NUMBER
    for name in ('pearson', 'spearman', 'stronger')
    for column in (name, *_bounds(name))
  },
}
# Columns of every probe: its strength, and its scores on the test split.
_PROBE = {
  **_columns(NUMBER, 'l2 heldout_accuracy'),
  'converged': 'bool',
  **_columns(COUNT, 'n correct'),
  'accuracy': NUMBER,
  **_bounds('accuracy'),
}
# One row per probe on dimensions of the base and another model; `whole` ones
# have all dimensions of the other model.
_JOINED = {
  **_columns(TEXT, 'model_1 model_2 category'),
  'percent': NUMBER,
  'seed': COUNT,
  'whole': 'bool',
  **_columns(COUNT, 'dims_1 dims_2'),
  **_PROBE,
}
_JOINED_PAIRS = {
  **_columns(TEXT, 'model_1 model_2 category'),
  **_columns(COUNT, 'n seeds'),
  **_columns(NUMBER, 'error_inconsistency'),
  **_columns(NUMBER, 'accuracy_base accuracy_other accuracy_half half_gain'),
  **_bounds('half_gain'),
}
_JOINED_CATEGORIES = {
  'category': TEXT,
  'pairs': COUNT,
  'half_gain': NUMBER,
  **_bounds('half_gain'),
}
# One row per probe on the first `kept` joined dimensions of a ranking.
_COMPRESSION = {
  **_columns(TEXT, 'model_1 model_2 category ranking'),
  **_columns(COUNT, 'seed kept'),
  **_PROBE,
}
# `kept` is missing if no size reached the target.
_COMPRESSION_TARGETS = {
  **_columns(TEXT, 'model_1 model_2 category ranking'),
  'seed': COUNT,
  'target': NUMBER,
  'kept': MAYBE_COUNT,
  'width': COUNT,
}
_COMPRESSION_CATEGORIES = {
  **_columns(TEXT, 'category ranking'),
  **_columns(COUNT, 'pairs reached'),
  'kept': NUMBER,
  **_bounds('kept'),
}
# One row per single model, then one per pair; `model_2` and the columns that
# depend on it are empty for single models. The score is on another data set
# than the accuracies and the error inconsistency; the gain is over
# `best_single`.
_TRANSFER = {
  **_columns(TEXT, 'dataset model_1 model_2 category metric'),
  **_columns(COUNT, 'width n labels'),
  'score': NUMBER,
  **_bounds('score'),
  **_columns(NUMBER, 'source_accuracy_1 source_accuracy_2'),
  'error_inconsistency': NUMBER,
  'best_single': TEXT,
  'gain': NUMBER,
  **_bounds('gain'),
  **_columns(NUMBER, 'p_value p_value_holm'),
  'converged': 'bool',
}
# One row per label of these: a class, or a group of classes.
_TRANSFER_CLASSES = {
  **_columns(TEXT, 'dataset model_1 model_2 kind class_name metric'),
  **_columns(COUNT, 'positives left_out'),
  'score': NUMBER,
  **_bounds('score'),
  'l2': NUMBER,
}
# One row per pair, with details for when it is selected, as JSON lists.
# `theta_*` are counts in `bins` bins, empty without confidences; `classes_*`
# are rows of class, `only_1`, `only_2`, `n` and `q`.
_PAIR_CLOSEUPS = {
  **_columns(TEXT, 'model_1 model_2 category'),
  'bins': COUNT,
  **_columns(TEXT, 'theta_only_1 theta_only_2 classes_1 classes_2'),
}
# One row per example on which models disagree; `right` has a 'y' or an 'n' for
# each model.
_CONTESTED = {
  'id': TEXT,
  'label': COUNT,
  'class_name': TEXT,
  'models_right': COUNT,
  'right': TEXT,
}
# One row per model: costs of its forward pass of one image; empty if unknown.
_COSTS = {
  'model': TEXT,
  **_columns(MAYBE_COUNT, 'parameters flops'),
}
# One row per start and budget of operations, in multiples of the start's: the
# best ensemble within the budget, including the start. `flops` are those of all
# members; empty, like `size`, if the halves selected different ones.
_GREEDY_BUDGETS = {
  **_columns(TEXT, 'start start_category protocol half'),
  'budget': NUMBER,
  'size': MAYBE_COUNT,
  'flops': MAYBE_COUNT,
  **_columns(TEXT, 'members'),
  **_columns(COUNT, 'n correct'),
  **_columns(NUMBER, 'accuracy'),
  **_bounds('accuracy'),
  **_columns(NUMBER, 'start_accuracy'),
  **_GAINED,
  **_columns(NUMBER, 'selection_accuracy'),
}
# One row per pair: unweighted means over the conditions of a split.
_CONDITIONS = {
  **_columns(TEXT, 'model_1 model_2 category dataset split'),
  **_columns(COUNT, 'conditions n'),
  **_columns(NUMBER, 'accuracy_1 accuracy_2 error_inconsistency kappa'),
  'kappa_conditions': COUNT,
}
SCHEMAS: Mapping[str, Mapping[str, str]] = {
  'models': _MODELS,
  'pairs': _PAIRS,
  'categories': _CATEGORIES,
  'correlations': _CORRELATIONS,
  'theta': _THETA,
  'theta_examples': _THETA_EXAMPLES,
  'class_groups': _CLASS_GROUPS,
  'classes': _CLASSES,
  'specialisation': _SPECIALISATION,
  'specialisation_correlations': _CORRELATIONS,
  'interpolation': _INTERPOLATION,
  'interpolation_optima': _INTERPOLATION_OPTIMA,
  'greedy': _GREEDY,
  'greedy_best': _GREEDY_BEST,
  'first_additions': _FIRST_ADDITIONS,
  'subsets': _SUBSETS,
  'similarity': _SIMILARITY,
  'similarity_correlations': _SIMILARITY_CORRELATIONS,
  'joined': _JOINED,
  'joined_pairs': _JOINED_PAIRS,
  'joined_categories': _JOINED_CATEGORIES,
  'joined_correlations': _CORRELATIONS,
  'compression': _COMPRESSION,
  'compression_targets': _COMPRESSION_TARGETS,
  'compression_categories': _COMPRESSION_CATEGORIES,
  'transfer': _TRANSFER,
  'transfer_classes': _TRANSFER_CLASSES,
  'pair_closeups': _PAIR_CLOSEUPS,
  'contested': _CONTESTED,
  'costs': _COSTS,
  'greedy_budgets': _GREEDY_BUDGETS,
  'conditions': _CONDITIONS,
}

"""Consistent tables of a study that never ran, for figures and report.

Every example has a difficulty and every model a noise of its own, the wider
the further its category; who is right, and how sure, follows. All counts and
fractions of `pairs.csv` are computed from that, so every identity holds.
"""

import functools
import itertools
import json

import numpy as np
from scipy import stats

from overlap.analyses import closeups
from overlap.analyses.interpolation import curves, winning
from overlap.analyses.probing import transfer
from overlap.analyses.probing.multi_label import Labels
from overlap.analyses.similarity import correlations as similarity_correlations
from overlap.analyses.similarity import pairwise
from overlap.analyses.similarity.options import Similarity
from overlap.analyses.specialisation import classes, separation, views
from overlap.catalog import models as catalog
from overlap.tables import schemas, table_io

CATEGORIES = ('REINIT', 'HPARAM', 'ARCH', 'FRAMEWORK', 'DATASET')
EXAMPLES = 2000
HOSTILE = '<script>window.broken=1</script>'
HARD_LABEL = 'labels/only'
MODELS = {
  'base': 'BASE',
  'seed 1': 'REINIT',
  'seed 2': 'REINIT',
  'lr/0.02': 'HPARAM',
  'lr/0.5': 'HPARAM',
  'weight decay, "strong"': 'HPARAM',
  'wide': 'HPARAM',
  'DenseNet-121': 'ARCH',
  'MobileNet-V2': 'ARCH',
  HOSTILE: 'ARCH',
  'SimCLR': 'FRAMEWORK',
  'a rather long name of a distilled vision transformer': 'FRAMEWORK',
  'CLIP-S': 'DATASET',
  'features/imagenet': 'DATASET',
  HARD_LABEL: 'DATASET',
}
# Of operations, in multiples of a start's.
BUDGETS = (1.5, 2.0, 3.0, 6.0)
# Outside the accuracy window: of the same kind, below and above.
OUTSIDE = ('lr/0.5', 'MobileNet-V2', 'features/imagenet')
_OWN_SHIFT = {'MobileNet-V2': -0.5, 'features/imagenet': 0.5}
# So that accuracies stay near one another, as in the paper's window.
_SHIFT = {'ARCH': 0.1, 'FRAMEWORK': 0.15, 'DATASET': 0.4}
_NOISE = {
  'BASE': 0.5, 'REINIT': 0.5, 'HPARAM': 0.6, 'ARCH': 0.8, 'FRAMEWORK': 0.9,
  'DATASET': 1.4,
}  # fmt: skip


def paper_models():
  """The paper's models, the base as 'base', with their categories."""
  listed = {
    model.name: model.category
    for model in catalog.models()
    if model.category != 'BASE'
  }
  return {'base': 'BASE'} | listed


def _table(name, rows):
  columns = {
    column: [row.get(column) for row in rows]
    for column in schemas.SCHEMAS[name]
  }
  return table_io.typed(name, columns)


def margins(models=MODELS, examples=EXAMPLES, seed=0):
  """Margins of the right class: positive where a model is right."""
  rng = np.random.default_rng(seed)
  difficulty = rng.normal(1.3, 1.0, examples)
  result = {}
  for name, category in models.items():
    shift = _SHIFT.get(category, 0) + _OWN_SHIFT.get(name, 0)
    noise = rng.normal(shift, _NOISE[category], examples)
    result[name] = difficulty + noise
  return result


def study(models=MODELS, examples=EXAMPLES, seed=0, window=True):
  """All tables; of one model, 'models' and 'pairs' alone."""
  values = margins(models, examples, seed)
  pairs = pairs_table(models, values)
  tables = {'models': models_table(models, values, window), 'pairs': pairs}
  if len(models) > 1:
    inside = tables['models'].loc[tables['models']['in_window'], 'model']
    with_base = pairs[pairs['model_1'] == next(iter(models))]
    with_base = with_base[with_base['model_2'].isin(inside)]
    tables['categories'] = categories_table(with_base)
    tables['correlations'] = correlations_table(with_base, pairs)
    tables |= specialised(models, values)
    tables |= larger_tables(models, values)
    tables |= closeup_tables(models, values)
    tables |= joined_tables(models, tables['pairs'])
    tables |= similarity_tables(models, values, tables['models']['in_window'])
    tables |= transfer_tables(models, values)
  return tables


def bounds(name, value, examples, width=1.0):
  """A value and its normal interval as columns."""
  if np.isnan(value):
    return {name: value, f'{name}_lower': value, f'{name}_upper': value}
  share = min(max(abs(value), 1e-3), 1 - 1e-3)
  half = 1.96 * width * np.sqrt(share * (1 - share) / examples)
  return {
    name: value,
    f'{name}_lower': value - half,
    f'{name}_upper': value + half,
  }


def student(name, values):
  """A mean over models and its Student interval as columns."""
  mean = values.mean()
  half = np.nan
  if len(values) > 1:
    error = values.std(ddof=1) / np.sqrt(len(values))
    half = stats.t.ppf(0.975, len(values) - 1) * error
  return {
    name: mean,
    f'{name}_lower': mean - half,
    f'{name}_upper': mean + half,
  }


def models_table(models, values, window=True):
  base = values[next(iter(models))]
  rows = []
  for i, (name, category) in enumerate(models.items()):
    mine, n = values[name], len(base)
    soft = name != HARD_LABEL
    ensemble = np.mean(mine + base > 0) if soft else np.nan
    row = {
      'model': name, 'category': category, 'method': 'Sup. / F-MNIST',
      'head': 'L-BFGS' if category == 'DATASET' else 'Trained',
      'dataset': 'fashion_mnist', 'split': 'test', 'n': n,
      'temperature': 1 + i / 20 if soft else np.nan,
      **bounds('accuracy', np.mean(mine > 0), n),
      'nll': 0.3 + i / 100 if soft else np.nan,
      'nll_calibrated': 0.28 + i / 100 if soft else np.nan,
      'ece': 0.03 if soft else np.nan,
      'ece_calibrated': 0.01 if soft else np.nan,
      **bounds('error_inconsistency', np.mean((mine > 0) != (base > 0)), n),
      **bounds('ensemble_accuracy', ensemble, n),
    }  # fmt: skip
    if category == 'BASE':
      for end in ('', '_lower', '_upper'):
        row[f'error_inconsistency{end}'] = np.nan
        row[f'ensemble_accuracy{end}'] = np.nan
    row['in_window'] = not window or name not in OUTSIDE
    row['calibration_converged'] = name != 'wide' if soft else None
    row['calibration_bound_hit'] = name == 'CLIP-S' if soft else None
    row['calibration_left_out'] = 0 if soft else None
    rows.append(row)
  return _table('models', rows)


def pairs_table(models, values):
  names = list(models)
  rows = [
    pair(first, second, models, values)
    for first, second in itertools.combinations(names, 2)
  ]
  return _table('pairs', rows)


def pair(first, second, models, values):
  a, b = values[first], values[second]
  right_1, right_2, n = a > 0, b > 0, len(a)
  both, neither = np.sum(right_1 & right_2), np.sum(~right_1 & ~right_2)
  only_1, only_2 = np.sum(right_1 & ~right_2), np.sum(~right_1 & right_2)
  one = only_1 + only_2
  soft = HARD_LABEL not in (first, second)
  ensemble = a + b > 0
  mean = (right_1.mean() + right_2.mean()) / 2
  expected = mean**2 + (1 - mean) ** 2
  rank = max(_rank(models[first]), _rank(models[second]))
  statistic = (abs(only_1 - only_2) - 1) ** 2 / max(one, 1)
  p = float(np.exp(-statistic / 2))

  # Of four classes, the right one 0.
  class_1, class_2 = (
    np.where(m > 0, 0, 1 + np.floor(-4 * m).astype(int) % 3) for m in (a, b)
  )
  same_wrong = np.sum(~right_1 & ~right_2 & (class_1 == class_2))

  def rate(part):
    return np.mean(ensemble[part]) if soft and part.any() else np.nan

  def count(part):
    return np.sum(part) if soft else None

  return {
    'model_1': first, 'model_2': second,
    'category': CATEGORIES[max(rank, 0)],
    'dataset': 'fashion_mnist', 'split': 'test', 'n': n,
    'both_correct': both, 'only_1': only_1, 'only_2': only_2,
    'neither': neither,
    'accuracy_1': right_1.mean(), 'accuracy_2': right_2.mean(),
    **bounds('error_inconsistency', one / n, n),
    **bounds('kappa', 1 - one / n / (1 - expected), n),
    'ensemble_accuracy': ensemble.mean() if soft else np.nan,
    **bounds('gain', ensemble.mean() - mean if soft else np.nan, n, 0.5),
    **bounds('conversion_rate', rate(right_1 != right_2), max(one, 1)),
    **bounds(
      'neither_conversion_rate', rate(~right_1 & ~right_2), max(neither, 1)
    ),
    **bounds('loss_rate', 1 - rate(right_1 & right_2), max(both, 1)),
    'ensemble_accuracy_probs': ensemble.mean() if soft else np.nan,
    'dominance_1': only_2 / max(only_2 + neither, 1),
    'dominance_2': only_1 / max(only_1 + neither, 1),
    'mcnemar_p': p, 'mcnemar_p_holm': min(1.0, 14 * p),
    'ensemble_correct': count(ensemble),
    'converted_only_1': count(ensemble & right_1 & ~right_2),
    'converted_only_2': count(ensemble & ~right_1 & right_2),
    'converted_neither': count(ensemble & ~right_1 & ~right_2),
    'lost': count(~ensemble & right_1 & right_2),
    'double_fault': neither / n,
    'disagreement': np.mean(class_1 != class_2),
    'same_wrong': same_wrong,
    'agreement_when_wrong': same_wrong / max(neither, 1),
  }  # fmt: skip


def _rank(category):
  return -1 if category == 'BASE' else CATEGORIES.index(category)


def categories_table(pairs):
  rows = []
  for category in CATEGORIES:
    mine = pairs[pairs['category'] == category]
    if mine.empty:
      continue
    n = int(mine['n'].iloc[0])
    over_base = mine['ensemble_accuracy'] - mine['accuracy_1']
    means = {
      'error_inconsistency': mine['error_inconsistency'],
      'gain': mine['gain'],
      'conversion_rate': mine['conversion_rate'],
      'both_correct': mine['both_correct'] / n,
      'neither': mine['neither'] / n,
      'ensemble_accuracy': mine['ensemble_accuracy'],
      'gain_over_base': over_base,
      'neither_conversion_rate': mine['neither_conversion_rate'],
      'loss_rate': mine['loss_rate'],
    }
    row = {'category': category, 'models': len(mine), 'pairs': len(mine)}
    for name, values in means.items():
      row |= student(name, values.dropna())
    rows.append(row)
  return _table('categories', rows)


def correlations_table(with_base, pairs):
  rows = []
  for name in ('gain', 'ensemble_accuracy', 'conversion_rate'):
    for scope, rows_in in (('base', with_base), ('all', pairs)):
      good = rows_in.dropna(subset=[name])
      x, y = good['error_inconsistency'], good[name]
      r, slope = np.nan, np.nan
      if len(good) > 2:
        r, slope = np.corrcoef(x, y)[0, 1], np.polyfit(x, y, 1)[0]
      rows.append({
        'name': f'error_inconsistency_vs_{name}', 'scope': scope,
        'pearson': r, 'lower': r - 0.05, 'upper': min(r + 0.02, 1.0),
        'slope': slope, 'slope_lower': slope - 0.1,
        'slope_upper': slope + 0.1, 'n': len(good),
      })  # fmt: skip
  return _table('correlations', rows)


def labels_of(examples):
  """Of ten classes."""
  return np.random.default_rng(5).integers(0, 10, examples)


def paired(one, two, models, values):
  """A pair as the analysis of specialisation sees it."""

  def confidence(name):
    if name == HARD_LABEL:
      return None
    return 1 / (1 + np.exp(-2 * np.abs(values[name])))

  rank = max(_rank(models[one]), _rank(models[two]), 0)
  soft = HARD_LABEL not in (one, two)
  return views.PairOfModels(
    one,
    two,
    CATEGORIES[rank],
    values[one] > 0,
    values[two] > 0,
    confidence(one),
    confidence(two),
    values[one] + values[two] > 0 if soft else None,
  )


def seen(models):
  """The pairs of the panels and of the contrast."""
  base, *others = models
  soft = [name for name in others if name != HARD_LABEL]

  def first(category):
    return next((n for n in soft if models[n] == category), None)

  panels = [first(c) for c in ('REINIT', 'ARCH', 'DATASET') if first(c)]
  contrast = first('FRAMEWORK'), first('DATASET')
  return [(base, name) for name in panels], [contrast] if all(contrast) else []


def specialised(models, values):
  """The tables of specialisation and of interpolation."""
  base, *others = models
  labels = labels_of(len(values[base]))
  groups = {'even': np.arange(0, 10, 2), 'odd <b>': np.arange(1, 10, 2)}
  names = [f'class {c}' for c in range(9)] + [HOSTILE]
  panels, contrast = seen(models)
  of_base = [(base, other) for other in others]
  pairs = [
    paired(*both, models, values)
    for both in dict.fromkeys([*of_base, *panels, *contrast])
  ]
  shown = [
    views.View(name, [paired(*both, models, values) for both in chosen])
    for name, chosen in (('panel', panels), ('contrast', contrast))
    if chosen
  ]
  known = [pair for pair in pairs if pair.has_confidences]
  table = separation.specialisation_table(known, confidence=0.95)
  return {
    'theta': views.theta_table(shown, labels, groups, bins=20),
    'theta_examples': views.examples_table(
      shown, [f'test/{i:05d}' for i in range(len(labels))], labels, names,
      max_examples=300, seed=0,
    ),
    **classes.tables_of(pairs, labels, names, groups, confidence=0.95),
    'specialisation': table,
    'specialisation_correlations': separation.correlations_table(
      table[table['model_1'] == base], confidence=0.95
    ),
    **interpolated(known, labels, values),
  }  # fmt: skip


def closeup_tables(models, values):
  """What is shown of one pair, and the examples that models disagree on."""
  labels = labels_of(len(next(iter(values.values()))))
  names = [f'class {c}' for c in range(9)] + [HOSTILE]
  count = functools.partial(np.bincount, minlength=len(names))
  rows = []
  for one, two in itertools.combinations(models, 2):
    both = paired(one, two, models, values)
    only = [
      both.correct_1 & ~both.correct_2, both.correct_2 & ~both.correct_1
    ]  # fmt: skip
    row = both.identity | {'bins': 20}
    thetas = '', ''
    if both.has_confidences:
      theta = both.measures()['theta']
      thetas = closeups.theta_counts(theta, both.outcomes, 20)
    won = closeups.classes_won(
      count(labels[only[0]]), count(labels[only[1]]), count(labels)
    )
    for i in (0, 1):
      row[f'theta_only_{i + 1}'] = json.dumps(thetas[i]) if thetas[i] else ''
      row[f'classes_{i + 1}'] = json.dumps(
        [[names[int(c)], *values] for c, *values in won[i]]
      )
    rows.append(row)
  correct = np.stack([margins > 0 for margins in values.values()])
  ids = [f'test/{i:05d}' for i in range(len(labels))]
  chosen = closeups.contested(correct, ids, seed=0)
  examples = [
    {
      'id': ids[i], 'label': labels[i], 'class_name': names[labels[i]],
      'models_right': correct[:, i].sum(),
      'right': ''.join('ny'[int(right)] for right in correct[:, i]),
    }
    for i in chosen
  ]  # fmt: skip
  return {
    'pair_closeups': _table('pair_closeups', rows),
    'contested': _table('contested', examples),
  }


def interpolated(pairs, labels, values):
  """Both tables of interpolation."""
  weights = curves.grid(21)
  rows, optima = [], []
  for pair in pairs:
    one, two = values[pair.model_1], values[pair.model_2]
    for kind in ('simple', 'class_aware'):
      swapped = (labels % 2 == 1) & (kind == 'class_aware')
      ends = [
        np.stack([scores, np.zeros(len(labels))], axis=1)
        for scores in (np.where(swapped, two, one), np.where(swapped, one, two))
      ]
      wins = curves.on_grid(
        *winning.intervals(*ends, np.zeros(len(labels), int)), weights
      )
      identity = pair.identity | {'kind': kind, 'n': len(labels)}
      for t, right in zip(weights, curves.correct(wins, len(weights))):
        share = right / len(labels)
        rows.append(identity | {'t': t, 'correct': right, 'accuracy': share})
      aware = kind == 'class_aware'
      optima.append(
        identity
        | curves.optimum(
          wins, weights, np.arange(len(labels)) % 2, resamples=50, seed=0,
          key=kind, confidence=0.95,
        )
        | {'group_a': 'even' if aware else ''}
        | {'group_b': 'odd <b>' if aware else ''}
      )  # fmt: skip
  return {
    'interpolation': _table('interpolation', rows),
    'interpolation_optima': _table('interpolation_optima', optima),
  }


def larger_tables(models, values, starts=3, steps=4):
  """The tables of ensembles of more than two, by plain greedy loops."""
  soft = [name for name in models if name != HARD_LABEL]
  if len(soft) < 2:
    return {}
  halves = np.arange(len(values[soft[0]])) % 2
  flops = flops_of(models)
  tables = {
    'greedy': [], 'greedy_best': [], 'greedy_budgets': [],
    'first_additions': [],
  }  # fmt: skip
  ranked = sorted(soft, key=lambda m: -np.mean(values[m] > 0))
  for start in ranked[:starts]:
    alone = values[start] > 0
    below = [m for m in soft if np.mean(values[m] > 0) < alone.mean()]
    head = {'start': start, 'start_category': models[start]}
    paths = {}
    for half, chosen_on in (
      ('1', halves == 1),
      ('2', halves == 0),
      ('all', halves >= 0),
    ):
      members = [start]
      while len(members) < steps and set(below) - set(members):
        members.append(max(
          (m for m in below if m not in members),
          key=lambda m: _together(values, [*members, m])[chosen_on].sum(),
        ))  # fmt: skip
      paths[half] = members
    for protocol, half in (('cross_fitted', 'both'), ('optimistic', 'all')):
      rows = _steps(models, values, halves, paths, half)
      best = max(rows, key=lambda row: row['selection_accuracy'])
      for row in rows:
        row |= head | {'protocol': protocol, 'best_prefix': row is best}
      tables['greedy'] += rows
      tables['greedy_best'].append(_as_best(best, alone))
      for budget in BUDGETS if flops[start] else ():
        able = [row for row in rows if _cost(row, flops) <= budget]
        best = max(able, key=lambda row: row['selection_accuracy'])
        tables['greedy_budgets'].append(_as_best(best, alone) | {
          'budget': budget, 'flops': _cost(best, flops) * flops[start],
        })  # fmt: skip
    order = sorted(below, key=lambda m: -_together(values, [start, m]).mean())
    for rank, added in enumerate(order, 1):
      tables['first_additions'].append(head | {
        'rank': rank, 'added': added, 'added_category': models[added],
        'start_accuracy': alone.mean(),
        'added_accuracy': np.mean(values[added] > 0),
        **_gained(alone, _together(values, [start, added])),
      })  # fmt: skip
  made = {name: _table(name, rows) for name, rows in tables.items()}
  made['costs'] = _table('costs', [
    {'model': name, 'parameters': 1000 + i, 'flops': flops[name]}
    for i, name in enumerate(models)
  ])  # fmt: skip
  made['subsets'] = _table('subsets', [
    {
      'protocol': 'optimistic', 'half': 'all', 'size': size, 'subsets': size,
      'members': json.dumps(soft[:size]), 'selection_accuracy': 0.9,
      'greedy_members': json.dumps(soft[:size]), 'n': 10, 'correct': 9,
      'greedy_correct': 9, 'greedy_selection_accuracy': 0.9,
      **bounds('accuracy', 0.9, 10), **bounds('greedy_accuracy', 0.9, 10),
    }
    for size in (1, 2)
  ])  # fmt: skip
  return made


def similarity_tables(models, values, inside):
  """Both tables of similarity, from features that go with the margins."""
  rng = np.random.default_rng(7)
  names = [name for name in models if name != HARD_LABEL]
  features = []
  for name in names:
    seen = np.tanh(np.outer(values[name], rng.normal(size=6)))
    noise = 0.3 * (1 + _rank(models[name])) * rng.normal(size=(len(seen), 6))
    features.append((seen + noise).astype(np.float32))
  index = np.array(list(itertools.combinations(range(len(names)), 2)))
  if not len(index):
    return {}
  near = np.arange(min(400, len(values[names[0]])))
  found = pairwise.measure_pairwise(
    features, [tuple(pair) for pair in index.tolist()], near, Similarity()
  )
  columns = {name: getattr(found, name) for name in pairwise.MEASURES}
  pairs = [pair(names[i], names[j], models, values) for i, j in index]
  for name in ('model_1', 'model_2', 'category', 'n', 'error_inconsistency'):
    columns[name] = np.array([row[name] for row in pairs])
  for side in (0, 1):
    columns[f'directions_{side + 1}'] = found.directions[:, side]
  columns['neighbours'] = np.full(len(index), 10)
  columns['neighbour_examples'] = np.full(len(index), len(near))
  kept = np.asarray(inside)[index]
  base = (index[:, 0] == 0) & kept[:, 1]
  scopes = [
    ('base', {k: v[base] for k, v in columns.items()}, index[base, 1:]),
    ('all', {k: v[kept.all(1)] for k, v in columns.items()},
     index[kept.all(axis=1)]),
  ]  # fmt: skip
  return {
    'similarity': table_io.typed('similarity', columns),
    'similarity_correlations': similarity_correlations.table(
      scopes, confidence=0.95
    ),
  }


def joined_tables(models, pairs):
  """The tables of joined features: halves gain as models differ."""
  soft = [name for name in models if name not in ('base', HARD_LABEL)]
  rows = {name: [] for name in (
    'joined', 'joined_pairs', 'compression', 'compression_targets',
  )}  # fmt: skip
  of_base = pairs[pairs['model_1'] == 'base']
  apart = dict(zip(of_base['model_2'], of_base['error_inconsistency']))
  for i, name in enumerate(soft):
    pair = {'model_1': 'base', 'model_2': name, 'category': models[name]}
    fit = {'l2': 0.01, 'heldout_accuracy': 0.7, 'converged': True}
    gain = 0.3 * apart[name] - 0.01 + 0.002 * (i % 3)
    for percent in (0, 25, 50, 75, 100):
      for seed in range(2 if 0 < percent < 100 else 1):
        mean = 0.7 + gain * (1 - abs(percent - 50) / 50) + 0.001 * seed
        rows['joined'].append(pair | fit | {
          'percent': percent, 'seed': seed, 'whole': percent == 0,
          'dims_1': 64 * percent // 100, 'dims_2': 64 - 64 * percent // 100,
          'n': EXAMPLES, 'correct': round(mean * EXAMPLES),
          **bounds('accuracy', mean, EXAMPLES),
        })  # fmt: skip
    rows['joined_pairs'].append(pair | {
      'n': EXAMPLES, 'seeds': 2, 'error_inconsistency': apart[name],
      'accuracy_base': 0.7, 'accuracy_other': 0.7, 'accuracy_half': 0.7 + gain,
      'half_gain': gain, 'half_gain_lower': gain - 0.01,
      'half_gain_upper': gain + 0.01,
    })  # fmt: skip
    for ranking, worse in (('correlation', 0.0), ('random', 0.02)):
      for kept in (16, 32, 64, 128):
        mean = 0.72 - 1 / kept - worse * 16 / kept
        rows['compression'].append(pair | fit | {
          'ranking': ranking, 'seed': 0, 'kept': kept, 'n': EXAMPLES,
          'correct': round(mean * EXAMPLES),
          **bounds('accuracy', mean, EXAMPLES),
        })  # fmt: skip
      rows['compression_targets'].append(pair | {
        'ranking': ranking, 'seed': 0, 'target': 0.7, 'width': 128,
        'kept': 64 if ranking == 'correlation' else None,
      })  # fmt: skip
  if not soft:
    return {}
  made = {name: _table(name, own) for name, own in rows.items()}
  made['joined_correlations'] = _table('joined_correlations', [{
    'name': 'error_inconsistency_vs_half_gain', 'scope': 'base',
    'pearson': 0.97, 'lower': 0.9, 'upper': 0.99, 'slope': 0.3,
    'slope_lower': 0.2, 'slope_upper': 0.4, 'n': len(soft),
  }])  # fmt: skip
  return made


def transfer_tables(models, values, examples=300):
  """Both tables of transfer: of the base and one model of each far category."""
  rng = np.random.default_rng(11)
  soft = [name for name in models if name != HARD_LABEL]
  chosen = list(dict.fromkeys(
    next((m for m in soft if models[m] == category), soft[-1])
    for category in ('BASE', 'ARCH', 'FRAMEWORK', 'DATASET')
  ))  # fmt: skip
  if len(chosen) < 2:
    return {}
  targets = (rng.random((examples, 5)) < 0.3).astype(np.int8)
  targets[rng.random(targets.shape) < 0.02] = -1
  labels = Labels((*'abcd', 'a or b'), targets)
  alone = {
    name: 2 * targets + (1 + 0.1 * i) * rng.normal(size=targets.shape)
    for i, name in enumerate(chosen)
  }
  both = list(itertools.combinations(chosen, 2))
  logits = [*alone.values(), *(alone[one] + alone[two] for one, two in both)]
  scores = transfer.score_systems(logits, labels, resamples=100, seed=0)
  systems = [(name, '') for name in chosen] + both
  rows, classes = [], []
  for i, (one, two) in enumerate(systems):
    low, high = transfer.score_interval(scores.draws[i], scores.total[i], 0.95)
    row = {
      'dataset': 'digits', 'model_1': one, 'model_2': two, 'metric': 'mAP',
      'category': models[one], 'width': 64 if not two else 128, 'n': examples,
      'labels': 5, 'score': scores.total[i], 'score_lower': low,
      'score_upper': high, 'best_single': '', 'converged': True,
      'source_accuracy_1': np.mean(values[one] > 0),
    }  # fmt: skip
    if two:
      of_two = pair(one, two, models, values)
      best = max((chosen.index(m) for m in (one, two)), key=scores.total.item)
      gains = scores.draws[i] - scores.draws[best]
      least, most = transfer.gain_interval(gains, 1.0, 0.95)
      row |= {
        'category': of_two['category'], 'best_single': chosen[best],
        'error_inconsistency': of_two['error_inconsistency'],
        'source_accuracy_2': np.mean(values[two] > 0),
        'gain': scores.total[i] - scores.total[best], 'gain_lower': least,
        'gain_upper': most, 'p_value': 0.001, 'p_value_holm': 0.006,
      }  # fmt: skip
    rows.append(row)
    classes += [
      {
        'dataset': 'digits', 'model_1': one, 'model_2': two,
        'kind': 'class' if k < 4 else 'group', 'class_name': name,
        'metric': 'average precision', 'l2': 0.01,
        'positives': (targets[:, k] == 1).sum(),
        'left_out': (targets[:, k] < 0).sum(), 'score': scores.by_class[i, k],
      }
      for k, name in enumerate(labels.names)
    ]  # fmt: skip
  return {
    'transfer': _table('transfer', rows),
    'transfer_classes': _table('transfer_classes', classes),
  }


def flops_of(models):
  """Operations of each model; nobody knows those of some."""
  found = {name: 10**6 * (2 + i % 3) for i, name in enumerate(models)}
  return found | dict.fromkeys((HARD_LABEL, 'SimCLR'))


def _cost(row, flops):
  """An ensemble's, in multiples of its first model's."""
  costs = [flops[name] or np.inf for name in json.loads(row['members'])]
  return sum(costs) / costs[0]


def _as_best(row, alone):
  return row | {
    'start_accuracy': alone.mean(), 'mcnemar_p': 0.001,
    **{
      f'improvement{end}': row[f'improvement_over_start{end}']
      for end in ('', '_lower', '_upper')
    },
  }  # fmt: skip


def _together(values, members):
  return sum(values[m] for m in members) > 0


def _steps(models, values, halves, paths, half):
  rows, before, first = [], None, None
  used = ['1', '2'] if half == 'both' else ['all']
  for size in range(1, len(paths[used[0]]) + 1):
    each = [paths[u][:size] for u in used]
    rights = [_together(values, members) for members in each]
    right = np.where(halves == 0, rights[0], rights[-1])
    chosen = np.where(halves == 1, rights[0], rights[-1])
    added = {members[-1] for members in each} if size > 1 else set()
    kinds = {models[m] for m in added}
    row = {
      'half': half, 'step': size - 1, 'size': size,
      'added': min(added) if len(added) == 1 else '',
      'added_category': min(kinds) if len(kinds) == 1 else '',
      'members': json.dumps(each[0]), 'selection_accuracy': chosen.mean(),
      **_gained(right if before is None else before, right),
    }  # fmt: skip
    first = right if first is None else first
    gain = right.mean() - first.mean()
    row |= bounds('improvement_over_start', gain, len(right))
    rows.append(row)
    before = right
  return rows


def _gained(before, after):
  n = len(after)
  return {
    'n': n, 'correct': after.sum(), **bounds('accuracy', after.mean(), n),
    'gained': np.sum(after & ~before), 'lost': np.sum(before & ~after),
    **bounds('improvement', after.mean() - before.mean(), n),
    'mcnemar_p': 0.5, 'mcnemar_p_holm': 0.5,
  }  # fmt: skip


def write(workdir, tables):
  """Writes the tables where a study would."""
  for name, table in tables.items():
    table_io.write_table(workdir, name, table)

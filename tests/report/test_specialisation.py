"""Findings on specialisation and weights, from tables made for them."""

import pytest

from overlap.report import specialisation


def text(finding):
  return ' '.join(finding.sentences)


def test_confidence_and_its_trend(synthetic):
  tables = synthetic.study()
  said = specialisation.confident(tables).sentences
  assert len(said) == 4
  row = tables['specialisation'].set_index('model_2').loc['CLIP-S'].iloc[0]
  assert f'{100 * row["only_1_confident"]:.0f} %' in said[2]
  assert f'{row["theta_separation"]:.2f} (' in said[2]
  assert 'correlate with r = ' in said[3]


def test_two_pairs_have_no_trend(synthetic):
  tables = synthetic.study()
  tables['specialisation_correlations']['n'] = 2
  assert specialisation.confident(tables).sentences[3] == (
    'With the base there are too few pairs (2) for a correlation of that'
    ' distance and error inconsistency.'
  )


def test_groups_are_won_by_the_better(synthetic):
  tables = synthetic.study()
  groups = tables['class_groups']
  mine = (groups['model_2'] == 'CLIP-S') & (groups['model_1'] == 'base')
  mine &= groups['group'] == 'even'
  tables['class_groups'] = groups.assign(mcnemar_p_holm=1.0)
  assert 'none of the 8' in text(specialisation.groups(tables))
  for sign, better, worse in ((1, 'base', 'CLIP-S'), (-1, 'CLIP-S', 'base')):
    changed = groups.assign(mcnemar_p_holm=1.0)
    ends = sorted([sign * 0.01, sign * 0.05])
    changed.loc[mine, 'mcnemar_p_holm'] = 0.01
    changed.loc[mine, 'difference'] = sign * 0.03
    changed.loc[mine, ['difference_lower', 'difference_upper']] = ends
    tables['class_groups'] = changed
    said = text(specialisation.groups(tables))
    assert (
      f'On “even”, “{better}” is better than “{worse}” by 3.00 (1.00–5.00)'
      in said
    )


def test_classes_are_won_by_the_better(synthetic):
  tables = synthetic.study()
  classes = tables['classes'].assign(q=1.0)
  mine = (classes['model_1'] == 'base') & (classes['model_2'] == 'CLIP-S')
  rows = classes.index[mine]
  classes.loc[rows[:6], ['q', 'only_1', 'only_2']] = [0.01, 2, 30]
  classes.loc[rows[7], ['q', 'only_1', 'only_2']] = [0.02, 30, 2]
  tables['classes'] = classes
  said = specialisation.groups(tables).sentences[-1]
  assert '“base” on class 7' in said
  assert (
    '“CLIP-S” on class 0, class 1, class 2, class 3 and 2 more classes' in said
  )


def test_weights(synthetic):
  tables = synthetic.study()
  said = specialisation.weights(tables).sentences
  optima = tables['interpolation_optima'].set_index('model_2')
  row = optima.loc['CLIP-S'].iloc[0]
  assert f'best at t = {row["best_t"]:.2f} (' in said[3]
  assert 'cross-fitted gain' in said[3]
  above = (tables['interpolation_optima']['gain_cross_fitted_lower'] > 0).sum()
  assert f'{above} have an interval above 0' in said[-1]
  simple = tables['interpolation_optima']['kind'] == 'simple'
  tables['interpolation_optima'] = tables['interpolation_optima'][simple]
  assert len(specialisation.weights(tables).sentences) == 5


@pytest.mark.parametrize('empty', [True, False])
def test_without_tables_nothing_is_said(synthetic, empty):
  tables = synthetic.study()
  for name in list(tables):
    if name not in ('models', 'pairs'):
      if empty:
        tables[name] = tables[name].iloc[:0]
      else:
        del tables[name]
  for function in (
    specialisation.confident, specialisation.groups, specialisation.weights,
  ):  # fmt: skip
    assert function(tables) is None


def test_a_model_that_is_never_right_alone(synthetic):
  tables = synthetic.study()
  table = tables['specialisation']
  tables['specialisation'] = table.assign(
    only_1_confident=float('nan'), only_2_confident=float('nan')
  )
  assert len(specialisation.confident(tables).sentences) == 1

"""Tables of specialisation and interpolation, against loops over a store."""

import numpy as np
import pytest
from scipy import special
from scipy import stats as scipy_stats

from overlap import store
from overlap.analyses import run
from overlap.core import errors

N, CLASSES = 240, 5
IDS = [f'{i:04d}' for i in range(N)]
# Name -> category, noise.
MODELS = {
  'base': ('BASE', 1.0),
  'seed': ('REINIT', 1.1),
  'vit': ('ARCH', 1.4),
  'mlp': ('ARCH', 1.2),
  'res': ('ARCH', 1.3),
  'ssl': ('FRAMEWORK', 1.4),
  'clip': ('DATASET', 1.8),
}
LABELS = np.random.default_rng(0).integers(0, CLASSES, N)
GROUPS = {'odd': ['1', 3], 'even': ['0', '2', '4']}
OPTIONS = {'resamples': 40, 'calibration': 'grid'}


def logits(name):
  rng = np.random.default_rng(sum(name.encode()))
  scores = 2 * np.eye(CLASSES)[LABELS]
  return (
    3 * (scores + MODELS[name][1] * rng.normal(size=(N, CLASSES)))
  ).astype(np.float32)


def put(workdir, model, record, arrays, order):
  with store.RecordWriter(
    workdir, dataset='d', split='test', model=model
  ) as writer:
    for name, value in arrays.items():
      writer.create(name, shape=value.shape, dtype=value.dtype)
      writer.write(name, 0, value[order])
    writer.finish(record)


def build(workdir, order=slice(None), categories=True, hard=True):
  ids = np.array(IDS)[order].tolist()
  store.write_examples(
    workdir, dataset='d', split='test', ids=ids, labels=LABELS[order],
    class_names=[str(c) for c in range(CLASSES)],
  )  # fmt: skip
  for name, (category, _) in MODELS.items():
    record = {'category': category} if categories else {}
    put(workdir, name, record, {'logits': logits(name)}, order)
  rng = np.random.default_rng(9)
  predicted = np.where(rng.random(N) < 0.7, LABELS, 0).astype(np.int32)
  confidence = rng.random(N).astype(np.float32)
  if hard:
    put(
      workdir, 'hard', {},
      {'predicted': predicted, 'confidence': confidence}, order,
    )  # fmt: skip
    put(workdir, 'bare', {}, {'predicted': predicted}, order)
  return workdir


def analyse(workdir, base='base', models=None, **special):
  special = {'groups': GROUPS} | special
  inter = special.pop('interpolation', {})
  return run.analyse(
    workdir=workdir, dataset='d', split='test', base=base, models=models,
    options=OPTIONS | {'specialisation': special, 'interpolation': inter},
  )  # fmt: skip


@pytest.fixture(scope='module')
def workdir(tmp_path_factory):
  return build(tmp_path_factory.mktemp('store'))


@pytest.fixture(scope='module')
def made(workdir):
  return analyse(workdir)


def scaled(made, name):
  models = made['models'].set_index('model')
  return logits(name) / np.float32(models.loc[name, 'temperature'])


def confidence(made, name):
  return special.softmax(scaled(made, name).astype(float), axis=1).max(axis=1)


def right(name):
  return logits(name).argmax(axis=1) == LABELS


def test_panels_and_contrast_are_chosen(made):
  table = made['theta']
  seen = table.drop_duplicates(['view', 'panel'])
  pairs = seen[['view', 'model_1', 'model_2', 'category']].values.tolist()
  apart = {n: np.mean(right(n) != right('base')) for n in ('vit', 'mlp', 'res')}
  mean = np.mean(list(apart.values()))
  arch = min(apart, key=lambda name: abs(apart[name] - mean))
  assert pairs == [
    ['panel', 'base', 'seed', 'REINIT'],
    ['panel', 'base', arch, 'ARCH'],
    ['panel', 'base', 'clip', 'DATASET'],
    ['contrast', 'ssl', 'clip', 'DATASET'],
  ]


@pytest.mark.parametrize('view', ['panel', 'contrast'])
def test_histograms(made, view):
  table = made['theta'][made['theta']['view'] == view]
  pairs = table[['model_1', 'model_2']].drop_duplicates().values.tolist()
  inside = np.any([right(one) != right(two) for one, two in pairs], axis=0)
  for one, two in pairs:
    doubt = [1 - confidence(made, name) for name in (one, two)]
    theta = np.arctan2(doubt[1], doubt[0]) - np.pi / 4
    ensemble = (scaled(made, one) + scaled(made, two)).argmax(1) == LABELS
    parts = {
      'both': right(one) & right(two), 'only_1': right(one) & ~right(two),
      'only_2': right(two) & ~right(one), 'neither': ~right(one) & ~right(two),
    }  # fmt: skip
    for group, classes in (('', range(5)), ('odd', (1, 3))):
      chosen = inside & np.isin(LABELS, list(classes))
      for outcome, part in parts.items():
        rows = table[
          (table['model_2'] == two) & (table['group'] == group)
          & (table['outcome'] == outcome) & (table['measure'] == 'theta')
        ]  # fmt: skip
        ends = np.r_[rows['lower'], rows['upper'].iloc[-1]]
        np.testing.assert_array_equal(
          rows['count'], np.histogram(theta[chosen & part], ends)[0]
        )
        np.testing.assert_array_equal(
          rows['ensemble_correct'],
          np.histogram(theta[chosen & part & ensemble], ends)[0],
        )
        assert set(rows['n']) == {chosen.sum()}
    rows = table[(table['model_2'] == two) & (table['measure'] != 'theta')]
    assert rows['count'].sum() == inside.sum()
    assert set(rows['group']) == {''}


def test_points_are_those_examples(made):
  points = made['theta_examples']
  one = points[(points['view'] == 'panel') & (points['panel'] == 3)]
  index = one['id'].astype(int).to_numpy()
  np.testing.assert_allclose(
    one['confidence_2'], confidence(made, 'clip')[index], rtol=1e-6
  )
  np.testing.assert_array_equal(one['label'], LABELS[index])
  only_2 = right('clip') & ~right('base')
  np.testing.assert_array_equal(one['outcome'] == 'only_2', only_2[index])
  first = points[(points['view'] == 'panel') & (points['panel'] == 1)]
  assert first['id'].tolist() == one['id'].tolist()


def test_fewer_points_do_not_depend_on_the_order(tmp_path, workdir):
  order = np.random.default_rng(4).permutation(N)
  other = build(tmp_path, order)
  found = []
  for place in (workdir, other):
    points = analyse(place, max_examples=20)['theta_examples']
    keys = ['view', 'panel', 'id']
    found.append(points.sort_values(keys).reset_index(drop=True))
  assert (found[0].groupby(['view', 'panel']).size() == 20).all()
  assert found[0]['id'].tolist() == found[1]['id'].tolist()


def test_groups_and_classes(made):
  groups, classes = made['class_groups'], made['classes']
  assert len(groups) == 2 * (8 + 1)
  assert list(groups['group'][:2]) == ['even', 'odd']
  assert list(groups['classes'][:2]) == ['0,2,4', '1,3']
  row = groups[(groups['model_2'] == 'clip') & (groups['group'] == 'odd')]
  row = row[row['model_1'] == 'base'].iloc[0]
  inside = np.isin(LABELS, (1, 3))
  a, b = right('base')[inside], right('clip')[inside]
  assert row['n'] == inside.sum()
  assert (row['only_1'], row['only_2']) == ((a & ~b).sum(), (b & ~a).sum())
  assert row['difference'] == pytest.approx(a.mean() - b.mean())
  expected = scipy_stats.binomtest(
    int((a & ~b).sum()), int((a != b).sum())
  ).pvalue
  assert row['mcnemar_p'] == pytest.approx(expected)
  assert (groups['mcnemar_p_holm'] >= groups['mcnemar_p']).all()
  doubts = [1 - confidence(made, n)[inside] for n in ('base', 'clip')]
  theta = np.arctan2(doubts[1], doubts[0]) - np.pi / 4
  assert row['theta'] == pytest.approx(theta.mean())
  assert len(classes) == CLASSES * 9
  # Over classes and over groups, the counts are those of the pair.
  pairs = made['pairs'].set_index(['model_1', 'model_2'])
  for table in (groups, classes):
    summed = table.groupby(['model_1', 'model_2'])[
      ['n', 'both_correct', 'only_1', 'only_2', 'neither']
    ].sum()
    wanted = pairs.loc[summed.index, summed.columns]
    np.testing.assert_array_equal(summed, wanted)
  one = classes[(classes['model_1'] == 'base') & (classes['model_2'] == 'vit')]
  q = scipy_stats.false_discovery_control(one['mcnemar_p'])
  np.testing.assert_allclose(one['q'], q)


def test_hard_labels_take_part_where_they_can(made):
  groups = made['class_groups'].set_index(['model_2', 'group'])
  assert np.isfinite(groups.loc[('hard', 'odd'), 'theta'])
  assert np.isnan(groups.loc[('bare', 'odd'), 'theta'])
  assert groups.loc[('bare', 'odd'), 'n'] > 0
  assert 'hard' in set(made['specialisation']['model_2'])
  assert 'bare' not in set(made['specialisation']['model_2'])
  assert not {'hard', 'bare'} & set(made['interpolation']['model_2'])


def test_a_hard_label_model_as_a_panel(workdir):
  tables = analyse(workdir, pairs='hard:vit,clip:base')
  theta = tables['theta']
  seen = theta[theta['view'] == 'panel'].drop_duplicates('panel')
  assert seen[['model_1', 'model_2']].values.tolist() == [
    ['vit', 'hard'], ['base', 'clip'],
  ]  # fmt: skip
  assert theta[theta['model_2'] == 'hard']['ensemble_correct'].isna().all()
  with pytest.raises(errors.UsageError, match="'bare', which has neither"):
    analyse(workdir, pairs='bare:vit')
  with pytest.raises(errors.UsageError, match="Did you mean 'vit'"):
    analyse(workdir, contrast='vt:base')


def test_without_confidences_the_tables_are_empty(workdir):
  tables = analyse(workdir, base='bare', models=['hard', 'bare'])
  for name in ('theta', 'theta_examples', 'specialisation', 'interpolation'):
    assert tables[name].empty
  assert len(tables['class_groups']) == 2


def test_without_categories_the_spread_is_shown(tmp_path):
  build(tmp_path, categories=False, hard=False)
  seen = analyse(tmp_path)['theta'].drop_duplicates(['view', 'panel'])
  assert set(seen['view']) == {'panel'}
  others = [name for name in MODELS if name != 'base']
  by_distance = sorted(
    others, key=lambda name: (right(name) != right('base')).sum()
  )
  assert seen['model_2'].tolist() == [by_distance[i] for i in (0, 2, 5)]


def test_separation(made):
  row = made['specialisation'].set_index('model_2').loc['clip'].iloc[0]
  doubts = [1 - confidence(made, name) for name in ('base', 'clip')]
  theta = np.arctan2(doubts[1], doubts[0]) - np.pi / 4
  only = [
    theta[right('base') & ~right('clip')],
    theta[right('clip') & ~right('base')],
  ]
  assert row['theta_only_1'] == pytest.approx(only[0].mean())
  assert row['theta_separation'] == pytest.approx(
    only[0].mean() - only[1].mean()
  )
  assert row['theta_separation_lower'] < row['theta_separation']
  assert row['only_1_confident'] == pytest.approx((only[0] > 0).mean())
  assert row['only_2_decisive'] == pytest.approx((only[1] < -0.321751).mean())
  trend = made['specialisation_correlations'].iloc[0]
  table = made['specialisation']
  table = table[table['model_1'] == 'base']
  expected = np.corrcoef(
    table['error_inconsistency'], table['theta_separation']
  )
  assert trend['pearson'] == pytest.approx(expected[0, 1])
  assert trend['n'] == len(table) == 7


@pytest.mark.parametrize('kind', ['simple', 'class_aware'])
def test_interpolation(made, kind):
  one, two = scaled(made, 'base'), scaled(made, 'clip')
  weight = np.zeros(CLASSES) if kind == 'simple' else np.arange(CLASSES) % 2
  curve = made['interpolation']
  curve = curve[
    (curve['model_1'] == 'base') & (curve['model_2'] == 'clip')
    & (curve['kind'] == kind)
  ]  # fmt: skip
  for t in (0.0, 0.13, 0.5, 0.77, 1.0):
    of_two = np.where(weight, 1 - t, t)  # The group of even classes is A.
    scores = (1 - of_two) * one.astype(float) + of_two * two.astype(float)
    expected = (scores.argmax(axis=1) == LABELS).sum()
    found = curve[np.isclose(curve['t'], t)]
    assert found['correct'].tolist() == [expected]
  best = made['interpolation_optima'].set_index(['model_1', 'model_2', 'kind'])
  best = best.loc[('base', 'clip', kind)]
  assert best['correct_best'] == curve['correct'].max()
  assert best['group_a'] == ('' if kind == 'simple' else 'even')
  pairs = made['pairs'].set_index(['model_1', 'model_2'])
  assert best['correct_half'] == pairs.loc[('base', 'clip'), 'ensemble_correct']


def test_the_ends_are_the_models_own(made):
  curve = made['interpolation']
  curve = curve[(curve['kind'] == 'simple') & (curve['model_1'] == 'base')]
  for name in ('seed', 'vit', 'clip'):
    mine = curve[curve['model_2'] == name].set_index('t')['correct']
    assert mine[0.0] == right('base').sum()
    assert mine[1.0] == right(name).sum()


def test_other_groups_and_pairs(workdir):
  tables = analyse(
    workdir, pairs='base:vit', contrast='ssl:clip',
    interpolation={
      'pairs': 'views', 'points': 5, 'group_a': 'odd', 'group_b': 'even',
    },
  )  # fmt: skip
  optima = tables['interpolation_optima']
  assert optima[['model_1', 'model_2']].drop_duplicates().values.tolist() == [
    ['base', 'vit'], ['ssl', 'clip'],
  ]  # fmt: skip
  aware = optima[optima['kind'] == 'class_aware']
  assert set(aware['group_a']) == {'odd'}
  with pytest.raises(errors.UsageError, match="Did you mean 'even'"):
    analyse(workdir, interpolation={'group_a': 'odd', 'group_b': 'evn'})


def test_without_groups_there_is_no_class_aware_curve(workdir):
  tables = analyse(workdir, groups={})
  assert set(tables['interpolation']['kind']) == {'simple'}
  assert tables['class_groups'].empty

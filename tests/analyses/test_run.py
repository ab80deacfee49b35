"""From a store to tables, against loops over the predictions."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import special
from scipy import stats as scipy_stats

from overlap import store
from overlap.analyses import bootstrap, calibration, run
from overlap.core import errors, lookup
from overlap.tables import schemas, table_io

DATASET, SPLIT = 'shapes', 'test'
EXAMPLES, CLASSES = 180, 4
IDS = [f'{i:04d}' for i in range(EXAMPLES)]
BASE_AXES = {
  'dataset': 'shapes',
  'framework': 'supervised',
  'architecture': 'resnet',
  'hparams': 'h',
  'seed': '0',
}
# Name -> what differs from the base, how much noise.
SOFT = {
  'base': ({}, 1.0),
  'zz/reinit': ({'seed': '1'}, 1.1),
  'arch A': ({'architecture': 'vit', 'seed': '3'}, 1.4),
  'arch B': ({'architecture': 'mlp'}, 1.3),
  'brought': (None, 1.2),
}
HARD = 'hard'
CATEGORY_OF = {
  'base': 'BASE',
  'zz/reinit': 'REINIT',
  'arch A': 'ARCH',
  'arch B': 'ARCH',
  'brought': 'DATASET',
  'hard': '',
}
ORDER = ['base', 'zz/reinit', 'arch A', 'arch B', 'brought', 'hard']
FAST = {'resamples': 50}


def labels_of():
  return np.random.default_rng(0).integers(0, CLASSES, EXAMPLES)


def logits_of(name):
  noise = SOFT[name][1]
  rng = np.random.default_rng(sum(name.encode()))
  clean = 2 * np.eye(CLASSES)[labels_of()]
  drawn = clean + noise * rng.normal(size=clean.shape)
  return (3 * drawn).astype(np.float32)


def put(workdir, model, record, **arrays):
  with store.RecordWriter(
    workdir, dataset=DATASET, split=SPLIT, model=model
  ) as writer:
    for name, value in arrays.items():
      writer.create(name, shape=value.shape, dtype=value.dtype)
      writer.write(name, 0, value)
    writer.finish(record)


def build(workdir, names=tuple(SOFT), hard=True):
  store.write_examples(
    workdir,
    dataset=DATASET,
    split=SPLIT,
    ids=IDS,
    labels=labels_of(),
    class_names=[f'class {c}' for c in range(CLASSES)],
  )
  for name in names:
    changed = SOFT[name][0]
    record = {'method': 'Sup. / shapes', 'head': 'Trained'}
    if changed is None:
      record['category'] = 'DATASET'
    else:
      record['axes'] = BASE_AXES | changed
    put(workdir, name, record, logits=logits_of(name))
  if hard:
    rng = np.random.default_rng(9)
    labels = labels_of()
    predicted = np.where(rng.random(EXAMPLES) < 0.6, labels, 0)
    confidence = rng.random(EXAMPLES)
    put(
      workdir,
      HARD,
      {'source': 'ingest'},
      predicted=predicted.astype(np.int32),
      confidence=confidence.astype(np.float32),
    )
  return workdir


def analyse(workdir, base='base', **kwargs):
  kwargs.setdefault('options', FAST)
  return run.analyse(
    workdir=workdir, dataset=DATASET, split=SPLIT, base=base, **kwargs
  )


@pytest.fixture(scope='module')
def workdir(tmp_path_factory):
  return build(tmp_path_factory.mktemp('store'))


@pytest.fixture(scope='module')
def made(workdir):
  return analyse(workdir)


@pytest.fixture(scope='module')
def temperatures():
  folds = calibration.folds_from_ids(IDS)
  return {
    name: calibration.cross_fit(logits_of(name), labels_of(), folds)
    for name in SOFT
  }


def right_of(workdir, name):
  if name == HARD:
    got = store.Store(workdir).read(DATASET, SPLIT, name, 'predicted')
  else:
    got = logits_of(name).argmax(axis=1)
  return got == labels_of()


def test_models_come_base_first_then_by_category_then_by_name(made):
  models = made['models']
  assert models['model'].tolist() == ORDER
  assert dict(zip(models['model'], models['category'])) == CATEGORY_OF
  assert models['in_window'].all()
  pairs = list(zip(made['pairs']['model_1'], made['pairs']['model_2']))
  assert pairs == list(itertools.combinations(ORDER, 2))


def test_models_own_columns_equal_a_loop(made, workdir, temperatures):
  models = made['models'].set_index('model')
  labels = labels_of()
  for name in SOFT:
    row, z = models.loc[name], logits_of(name).astype(np.float64)
    right = right_of(workdir, name)
    assert row['accuracy'] == right.mean()
    assert row['n'] == EXAMPLES
    assert (row['dataset'], row['split']) == (DATASET, SPLIT)
    assert (row['method'], row['head']) == ('Sup. / shapes', 'Trained')
    t = temperatures[name].per_example.astype(np.float64)
    for suffix, scaled in (('', z), ('_calibrated', z / t[:, None])):
      log_p = special.log_softmax(scaled, axis=1)
      loss = -log_p[np.arange(EXAMPLES), labels].mean()
      assert row[f'nll{suffix}'] == pytest.approx(loss, rel=1e-9)
      top = np.exp(log_p.max(axis=1))
      ece = calibration.ece_sweep(top, right)
      assert row[f'ece{suffix}'] == pytest.approx(ece, abs=1e-9)
    mean = scipy_stats.gmean(temperatures[name].temperatures)
    assert row['temperature'] == pytest.approx(mean, rel=1e-6)
    assert row['nll_calibrated'] < row['nll']
    bounds = scipy_stats.binomtest(int(right.sum()), EXAMPLES).proportion_ci(
      method='wilson'
    )
    assert row['accuracy_lower'] == pytest.approx(bounds.low)
    assert row['accuracy_upper'] == pytest.approx(bounds.high)
    assert row['calibration_converged']
    assert not row['calibration_bound_hit']


def test_a_model_with_hard_labels_takes_part_in_the_counts(made, workdir):
  row = made['models'].set_index('model').loc[HARD]
  assert row['accuracy'] == right_of(workdir, HARD).mean()
  confidence = store.Store(workdir).read(DATASET, SPLIT, HARD, 'confidence')
  expected = calibration.ece_sweep(confidence, right_of(workdir, HARD))
  assert row['ece'] == expected
  empty = [
    'temperature', 'nll', 'nll_calibrated', 'ece_calibrated',
    'ensemble_accuracy', 'ensemble_accuracy_lower', 'calibration_converged',
  ]  # fmt: skip
  assert row[empty].isna().all()
  assert np.isfinite(row['error_inconsistency'])
  pairs = made['pairs']
  hard = pairs[pairs['model_2'] == HARD]
  assert len(hard) == 5
  for column in ('gain', 'ensemble_accuracy_probs', 'gain_lower', 'lost'):
    assert hard[column].isna().all()
    assert pairs[pairs['model_2'] != HARD][column].notna().all()
  for column in ('error_inconsistency', 'kappa_upper', 'mcnemar_p_holm'):
    assert hard[column].notna().all()


def test_pairs_equal_a_loop(made, workdir, temperatures):
  labels = labels_of()
  for _, row in made['pairs'].iterrows():
    names = row['model_1'], row['model_2']
    one, two = (right_of(workdir, name) for name in names)
    counts = [(one & two), (one & ~two), (~one & two), (~one & ~two)]
    counts = [int(c.sum()) for c in counts]
    keys = ['both_correct', 'only_1', 'only_2', 'neither']
    assert [row[key] for key in keys] == counts
    assert row['n'] == EXAMPLES
    assert row['accuracy_1'] == one.mean()
    assert row['accuracy_2'] == two.mean()
    inconsistent = one != two
    assert row['error_inconsistency'] == inconsistent.mean()
    p = scipy_stats.binomtest(counts[1], counts[1] + counts[2]).pvalue
    assert row['mcnemar_p'] == pytest.approx(p)
    if HARD in names:
      continue
    z_1, z_2 = (
      logits_of(name) / temperatures[name].per_example[:, None]
      for name in names
    )
    wins = (z_1 + z_2).argmax(axis=1) == labels
    assert row['ensemble_accuracy'] == wins.mean()
    gain = wins.mean() - (one.mean() + two.mean()) / 2
    assert row['gain'] == pytest.approx(gain, abs=1e-15)
    assert row['conversion_rate'] == wins[inconsistent].mean()
    assert row['neither_conversion_rate'] == wins[~one & ~two].mean()
    assert row['loss_rate'] == (~wins)[one & two].mean()
    mean = special.softmax(z_1, axis=1) + special.softmax(z_2, axis=1)
    by_probs = (mean.argmax(axis=1) == labels).mean()
    assert row['ensemble_accuracy_probs'] == by_probs
    # The identity, exactly and on the counts.
    assert row['ensemble_correct'] == (
      row['both_correct'] - row['lost'] + row['converted_only_1']
      + row['converted_only_2'] + row['converted_neither']
    )  # fmt: skip
    cells = [one & two, one & ~two, ~one & two, ~one & ~two]
    drawn = bootstrap.intervals(
      bootstrap.Table(
        np.array([counts]), np.array([[(wins & cell).sum() for cell in cells]])
      ),
      names=[names],
      **FAST,
    )
    for name, part, whole in (
      ('neither_conversion_rate', wins, ~one & ~two),
      ('loss_rate', ~wins, one & two),
    ):
      expected = scipy_stats.binomtest(
        int((part & whole).sum()), int(whole.sum())
      ).proportion_ci(method='wilson')
      bounds = row[[f'{name}_lower', f'{name}_upper']].tolist()
      assert bounds == pytest.approx(tuple(expected), abs=1e-12)
    for name, ((lower,), (upper,)) in drawn.items():
      assert lower <= row[name] <= upper
      assert (row[f'{name}_lower'], row[f'{name}_upper']) == (lower, upper)


def test_categories_of_pairs(made):
  pairs = made['pairs'].set_index(['model_1', 'model_2'])['category']
  assert pairs['base', 'zz/reinit'] == 'REINIT'
  assert pairs['arch A', 'arch B'] == 'ARCH'
  assert pairs['zz/reinit', 'brought'] == 'DATASET'
  assert pairs['base', 'hard'] == ''


def test_other_intervals_by_option(workdir, made):
  options = {'accuracy_interval': 'exact', 'summary_interval': 'bootstrap'}
  other = analyse(workdir, options=FAST | options)
  models = other['models']
  for _, row in models.iterrows():
    expected = scipy_stats.binomtest(
      round(row['accuracy'] * EXAMPLES), EXAMPLES
    ).proportion_ci(method='exact')
    assert row['accuracy_lower'] == pytest.approx(expected.low)
    assert row['accuracy_upper'] == pytest.approx(expected.high)
  for name, column in (('categories', 'gain'), ('correlations', 'slope')):
    one, two = made[name], other[name]
    pd.testing.assert_series_equal(one[column], two[column])
    known = one[f'{column}_lower'].notna()
    assert known.any()
    assert (one[f'{column}_lower'] != two[f'{column}_lower'])[known].all()
    assert two[f'{column}_lower'].notna().tolist() == known.tolist()
  pd.testing.assert_frame_equal(other['pairs'], made['pairs'])


def test_what_the_predicted_classes_have_in_common(made, workdir):
  labels = labels_of()
  chosen = {name: logits_of(name).argmax(axis=1) for name in SOFT}
  chosen[HARD] = store.Store(workdir).read(DATASET, SPLIT, HARD, 'predicted')
  for _, row in made['pairs'].iterrows():
    one, two = chosen[row['model_1']], chosen[row['model_2']]
    wrong = (one != labels) & (two != labels)
    assert row['disagreement'] == (one != two).mean()
    assert row['same_wrong'] == (wrong & (one == two)).sum()
    assert row['agreement_when_wrong'] == (one == two)[wrong].mean()
    assert row['double_fault'] == wrong.mean() == row['neither'] / EXAMPLES
    assert row['kappa_min'] <= row['kappa'] <= row['kappa_max']
    assert -1 <= row['q_statistic'] <= 1


def test_models_have_what_their_pair_with_the_base_has(made):
  models = made['models'].set_index('model')
  pairs = made['pairs'][made['pairs']['model_1'] == 'base']
  pairs = pairs.set_index('model_2')
  for column in (
    'error_inconsistency', 'error_inconsistency_lower',
    'error_inconsistency_upper', 'ensemble_accuracy',
  ):  # fmt: skip
    assert np.isnan(models.loc['base', column])
    np.testing.assert_array_equal(
      models.loc[pairs.index, column], pairs[column]
    )
  soft = models.loc['arch A']
  assert soft['ensemble_accuracy_lower'] < soft['ensemble_accuracy']


def test_category_means_are_over_pairs_with_the_base(made):
  pairs = made['pairs'][made['pairs']['model_1'] == 'base'].copy()
  pairs['both_correct'] /= pairs['n']
  pairs['neither'] /= pairs['n']
  pairs['gain_over_base'] = pairs['ensemble_accuracy'] - pairs['accuracy_1']
  table = made['categories'].set_index('category')
  assert table.index.tolist() == ['REINIT', 'ARCH', 'DATASET']
  assert table['models'].tolist() == table['pairs'].tolist() == [1, 2, 1]
  for name in schemas.CATEGORY_MEANS:
    means = pairs.groupby('category')[name].mean()
    for category in table.index:
      assert table.loc[category, name] == pytest.approx(means[category])
  assert table['gain_lower'].isna().tolist() == [True, False, True]


def test_correlations_are_over_base_pairs_and_over_all(made):
  pairs = made['pairs'].dropna(subset='gain')
  scopes = {'base': pairs[pairs['model_1'] == 'base'], 'all': pairs}
  table = made['correlations'].set_index(['scope', 'name'])
  assert len(table) == 6
  for scope, chosen in scopes.items():
    for other in ('gain', 'ensemble_accuracy', 'conversion_rate'):
      row = table.loc[scope, f'error_inconsistency_vs_{other}']
      line = scipy_stats.linregress(
        chosen['error_inconsistency'], chosen[other]
      )
      assert row['pearson'] == pytest.approx(line.rvalue)
      assert row['slope'] == pytest.approx(line.slope)
      assert row['n'] == len(chosen)
      assert -1 <= row['lower'] < row['pearson'] < row['upper'] <= 1
      assert row['slope_lower'] < row['slope'] < row['slope_upper']


def test_tables_can_be_written_and_read(made, tmp_path):
  for name, frame in made.items():
    table_io.write_table(tmp_path, name, frame)
    pd.testing.assert_frame_equal(table_io.read_table(tmp_path, name), frame)


def test_the_same_store_gives_the_same_bytes(made, workdir):
  again = analyse(workdir)
  for name, frame in made.items():
    assert table_io.to_csv(again[name]) == table_io.to_csv(frame)


def test_a_further_model_leaves_the_others_alone(made, workdir):
  some = analyse(workdir, models=['arch A', 'brought'])
  assert some['models']['model'].tolist() == ['base', 'arch A', 'brought']
  joined = some['pairs'].merge(
    made['pairs'], on=['model_1', 'model_2'], suffixes=('', '_more')
  )
  assert len(joined) == 3
  for column in table_io.PAIRS_COLUMNS[2:]:
    if column != 'mcnemar_p_holm':  # Corrected for the number of pairs.
      assert joined[column].equals(joined[f'{column}_more'].rename(column)), (
        column
      )


def test_pairs_asked_for(workdir, made):
  only = analyse(workdir, pairs='base')
  assert (only['pairs']['model_1'] == 'base').all()
  assert len(only['pairs']) == 5
  assert set(only['correlations']['scope']) == {'base'}
  listed = analyse(workdir, pairs=[('brought', 'arch A'), ['hard', 'base']])
  got = listed['pairs']
  assert list(zip(got['model_1'], got['model_2'])) == [
    ('base', 'hard'),
    ('arch A', 'brought'),
  ]
  for name in ('models', 'categories'):
    pd.testing.assert_frame_equal(only[name], made[name])
    pd.testing.assert_frame_equal(listed[name], made[name])
  expected = np.minimum(1, got['mcnemar_p'].min() * 2)
  assert got['mcnemar_p_holm'].min() == pytest.approx(expected)


def test_another_base_changes_who_is_compared(workdir):
  made = analyse(workdir, base='arch A')
  models = made['models'].set_index('model')
  assert models.index[0] == 'arch A'
  assert models.loc['base', 'category'] == 'ARCH'
  assert models.loc['arch A', 'category'] == 'BASE'


def test_the_window_bounds_means_and_correlations_alone(made, workdir):
  accuracy = made['models'].set_index('model')['accuracy']
  reach = abs(accuracy['arch B'] - accuracy['base'])
  inside = {m for m in ORDER if abs(accuracy[m] - accuracy['base']) <= reach}
  assert {'base', 'arch B'} <= inside < set(ORDER)
  some = analyse(workdir, options=FAST | {'window': float(reach)})
  models = some['models']
  assert set(models['model'][models['in_window']]) == inside
  pd.testing.assert_frame_equal(
    models.drop(columns='in_window'), made['models'].drop(columns='in_window')
  )
  pd.testing.assert_frame_equal(some['pairs'], made['pairs'])
  kept = some['pairs']
  kept = kept[kept['model_1'].isin(inside) & kept['model_2'].isin(inside)]
  of_base = kept[(kept['model_1'] == 'base') & (kept['category'] != '')]
  assert some['categories']['pairs'].sum() == len(of_base)
  table = some['correlations'].set_index(['scope', 'name'])['n']
  assert table['all', 'error_inconsistency_vs_gain'] == (
    kept['gain'].notna().sum()
  )


def test_the_first_method_has_the_columns_without_suffix(workdir, made):
  swapped = analyse(workdir, options=FAST | {'methods': ['probs', 'logits']})
  alone = analyse(workdir, options=FAST | {'methods': ['logits']})
  pd.testing.assert_series_equal(
    swapped['pairs']['ensemble_accuracy'],
    made['pairs']['ensemble_accuracy_probs'],
    check_names=False,
  )
  assert alone['pairs']['ensemble_accuracy_probs'].isna().all()
  pd.testing.assert_series_equal(alone['pairs']['gain'], made['pairs']['gain'])


def test_every_table_has_an_analysis():
  assert list(run.ANALYSES) == list(schemas.SCHEMAS)
  for name in run.ANALYSES:
    assert callable(lookup.lookup('table', name, run.ANALYSES))


def test_only_the_tables_asked_for(workdir):
  some = analyse(workdir, options=FAST | {'tables': ['pairs', 'models']})
  assert list(some) == ['pairs', 'models']


@pytest.mark.parametrize('objective', ['all', 'grid', 'ece_sweep'])
def test_other_calibrations(objective, workdir, made):
  options = FAST | {'calibration': objective, 'folds': 3}
  models = analyse(workdir, models=['arch A'], options=options)['models']
  got, default = models['temperature'], made['models']['temperature']
  assert got[0] == pytest.approx(default[0], rel=0.4)
  if objective == 'grid':
    assert got[0] == round(got[0], 1)


def test_one_model_alone_has_no_pairs(tmp_path):
  made = analyse(build(tmp_path, ['base'], hard=False))
  assert len(made['models']) == 1
  for name in ('pairs', 'categories'):
    assert len(made[name]) == 0
    assert list(made[name].columns) == list(schemas.SCHEMAS[name])
  assert (made['correlations']['n'] == 0).all()
  assert made['models']['error_inconsistency'].isna().all()


def test_hard_labels_alone(tmp_path):
  build(tmp_path, [], hard=True)
  put(tmp_path, 'two', {}, predicted=labels_of().astype(np.int32))
  made = analyse(tmp_path, base='two')
  assert made['pairs']['only_2'].tolist() == [0]
  assert made['models']['accuracy'].tolist()[0] == 1
  assert made['pairs'][['gain', 'ensemble_accuracy']].isna().all(axis=None)


def test_rows_with_nan_count_as_wrong(tmp_path):
  build(tmp_path, ['base'], hard=False)
  spoilt = logits_of('base')
  spoilt[:20] = np.nan
  put(tmp_path, 'spoilt', {'category': 'REINIT'}, logits=spoilt)
  made = analyse(tmp_path)
  right = right_of(tmp_path, 'base')
  row = made['models'].set_index('model').loc['spoilt']
  assert row['accuracy'] == right[20:].sum() / EXAMPLES
  assert np.isnan(row['nll'])
  assert np.isfinite(row['temperature'])
  pair = made['pairs'].iloc[0]
  assert pair['only_1'] == right[:20].sum()
  assert pair['ensemble_correct'] <= right[20:].sum()


def test_classes_ruled_out_are_told(tmp_path, caplog):
  """Not where it is the same ones in all examples, as a mask has it."""
  build(tmp_path, ['base'], hard=False)
  masked, pruned = logits_of('base'), logits_of('base')
  masked[:, 0] = -np.inf
  pruned[:30, 1] = -np.inf
  put(tmp_path, 'masked', {'category': 'REINIT'}, logits=masked)
  put(tmp_path, 'pruned', {'category': 'REINIT'}, logits=pruned)
  models = analyse(tmp_path)['models'].set_index('model')
  told = [r.getMessage() for r in caplog.records if 'not the same' in r.msg]
  assert len(told) == 1
  assert told[0].startswith(
    f'pruned: minus infinity rules out classes in 30 of {EXAMPLES} examples'
  )
  labels = labels_of()
  assert models['calibration_left_out'].to_dict() == {
    'base': 0,
    'masked': (labels == 0).sum(),
    'pruned': (labels[:30] == 1).sum(),
  }
  assert models['ece_calibrated'].isna().to_dict() == {
    'base': False, 'masked': True, 'pruned': True,
  }  # fmt: skip


def test_a_perfect_model_has_its_bound_recorded(tmp_path):
  build(tmp_path, ['base'], hard=False)
  perfect = np.eye(CLASSES, dtype=np.float32)[labels_of()]
  put(tmp_path, 'perfect', {'category': 'BASE'}, logits=perfect)
  made = analyse(tmp_path)
  row = made['models'].set_index('model').loc['perfect']
  assert row['calibration_bound_hit']
  assert not row['calibration_converged']
  assert row['temperature'] == 0.001
  # It was the base of another analysis.
  assert row['category'] == ''


@pytest.mark.parametrize(
  ('kwargs', 'message'),
  [
    ({'base': 'bse'}, "Did you mean 'base'"),
    ({'models': ['arch C']}, "Did you mean 'arch"),
    ({'pairs': 'al'}, "Did you mean 'all'"),
    ({'pairs': [['base', 'bruoght']]}, "Did you mean 'brought'"),
    ({'pairs': [['base', 'base']]}, 'two different'),
    ({'pairs': [['base']]}, 'two different'),
    ({'pairs': ['ab']}, 'two different'),
    ({'options': {'widow': 1}}, "Did you mean 'window'"),
    ({'pairs': [['hard', 'base']], 'models': ['arch A']}, "'hard'"),
  ],
)
def test_what_the_store_has_not_is_told(workdir, kwargs, message):
  with pytest.raises(errors.UsageError, match=message):
    analyse(workdir, **kwargs)


def test_an_unknown_split_is_told(workdir, tmp_path):
  for folder in (workdir, tmp_path):
    with pytest.raises(errors.UsageError, match='data set and split'):
      run.analyse(workdir=folder, dataset='shaps', split=SPLIT, base='base')


def test_a_category_that_is_none_is_told(tmp_path):
  build(tmp_path, ['base'], hard=False)
  put(tmp_path, 'm', {'category': 'ARHC'}, logits=logits_of('base'))
  with pytest.raises(errors.DataError, match=r"'m'.*'ARHC'"):
    analyse(tmp_path)


def test_a_record_without_predictions_is_told(tmp_path):
  build(tmp_path, ['base'], hard=False)
  put(tmp_path, 'm', {}, features=logits_of('base'))
  with pytest.raises(errors.DataError, match="'m' must have logits"):
    analyse(tmp_path)

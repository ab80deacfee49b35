"""Every analysis and the page over awkward stores: what `overview` says of it.

The model 'odd' is the awkward one, beside two of noise; all tables are made,
written, read and put into a page. What each measurement makes of such input
by itself is tested beside it.
"""

import numpy as np
import pytest

from overlap import figures, report, store
from overlap.analyses import run
from overlap.core import errors
from overlap.tables import table_io

ROWS, CLASSES = 24, 3
MODELS = {'base': 'BASE', 'other': 'ARCH', 'odd': 'DATASET'}
OPTIONS = {
  'resamples': 20,
  'probing': {
    'strengths': 2, 'weakest': 0.1, 'strongest': 1.0, 'seeds': 1, 'kept': [2],
  },
}  # fmt: skip
PROBED = {'probe_train': 12, 'probe_heldout': 7}


def scores_of(labels, classes, seed):
  rng = np.random.default_rng(seed)
  scores = rng.normal(size=(len(labels), classes))
  scores[np.arange(len(labels)), labels] += 1.5
  return scores.astype(np.float32)


def build(folder, *, rows=ROWS, classes=CLASSES, logits=None, features=None,
          splits=()):  # fmt: skip
  """A store; `logits` and `features` change those of the model 'odd'."""
  counts = {'test': rows} | {split: PROBED[split] for split in splits}
  for split, count in counts.items():
    labels = np.arange(count) % classes
    where = {'dataset': 'd', 'split': split}
    store.write_examples(
      folder, **where, ids=[f'{split}/{i}' for i in range(count)],
      labels=labels, class_names=[f'class {i}' for i in range(classes)],
    )  # fmt: skip
    for seed, (model, category) in enumerate(MODELS.items()):
      arrays = {}
      if split == 'test':
        arrays['logits'] = scores_of(labels, classes, seed)
      if features:
        arrays['features'] = scores_of(labels, 4, 10 + seed)
      if model == 'odd' and split == 'test' and logits:
        arrays['logits'] = logits(arrays['logits'], labels)
      if model == 'odd' and features:
        arrays['features'] = features(arrays['features'])
      with store.RecordWriter(folder, **where, model=model) as writer:
        for name, values in arrays.items():
          writer.create(name, shape=values.shape, dtype=np.float32)
          writer.write(name, 0, values)
        writer.finish({'category': category})


def analyse(folder):
  made = run.analyse(
    workdir=folder, dataset='d', split='test', base='base', options=OPTIONS
  )
  for name, frame in made.items():
    table_io.write_table(folder, name, frame)
  page = report.write_report(folder).read_text()
  assert 'NaN' not in page.partition('<body')[2].partition('<script')[0]
  return figures.load(folder)


def row(made, table, **where):
  frame = made[table]
  for name, value in where.items():
    frame = frame[frame[name] == value]
  assert len(frame) == 1, frame
  return frame.iloc[0]


def with_base(made):
  return row(made, 'pairs', model_1='base', model_2='odd')


def is_empty(found, *names):
  return {
    name: found[name] for name in names if found[name] == found[name]
  } == {}


def some_unusable(scores, labels):
  """NaN, each infinity, and nothing but minus infinity."""
  scores = scores.copy()
  scores[:5] = np.nan
  scores[5:8, 1] = np.inf
  scores[8, (labels[8] + 1) % CLASSES] = -np.inf
  scores[9] = -np.inf
  return scores


def check_some_unusable(made):
  odd, pair = row(made, 'models', model='odd'), with_base(made)
  assert is_empty(odd, 'nll', 'nll_calibrated')
  assert 1e-3 <= odd['temperature'] <= 1e3
  assert odd['calibration_left_out'] >= 9
  assert 0 <= odd['ece'] <= 1
  labels = np.arange(ROWS) % CLASSES
  scores = some_unusable(scores_of(labels, CLASSES, 2), labels)
  # NaN is wrong, as is minus infinity alone; infinity is the highest.
  unusable = np.isnan(scores).any(1) | np.isneginf(scores).all(1)
  right = (scores.argmax(1) == labels) & ~unusable
  assert odd['accuracy'] == right.mean()
  counts = pair[['both_correct', 'only_1', 'only_2', 'neither']]
  assert counts.sum() == ROWS
  assert pair['ensemble_correct'] <= ROWS - 5


def last_class_ruled_out(scores, labels):
  del labels
  scores = scores.copy()
  scores[:, -1] = -np.inf
  return scores


def check_ruled_out(made):
  """A third of the labels have no probability at any temperature."""
  odd, other = (row(made, 'models', model=name) for name in ('odd', 'other'))
  left_out = (np.arange(ROWS) % CLASSES == CLASSES - 1).sum()
  assert odd['calibration_left_out'] == left_out
  assert other['calibration_left_out'] == 0
  assert is_empty(odd, 'nll', 'nll_calibrated', 'ece_calibrated')
  assert 0 <= odd['ece'] <= 1
  assert np.isfinite(other['ece_calibrated'])


def check_all_unusable(made):
  odd, pair = row(made, 'models', model='odd'), with_base(made)
  assert odd['accuracy'] == 0
  assert is_empty(odd, 'nll', 'nll_calibrated', 'ece', 'ece_calibrated')
  assert odd['temperature'] == 1
  assert odd['calibration_bound_hit']
  # NaN in the sum: the ensemble is never right.
  assert pair['ensemble_correct'] == pair['ensemble_accuracy_probs'] == 0
  assert pair['same_wrong'] == 0
  assert is_empty(pair, 'loss_rate')
  found = row(made, 'specialisation', model_1='base', model_2='odd')
  assert is_empty(found, 'theta_only_1', 'theta_separation')


def check_equal(made):
  odd = row(made, 'models', model='odd')
  assert odd['accuracy'] == 1 / CLASSES  # Class 0: the lowest index wins ties.
  assert odd['temperature'] == 1
  assert odd['calibration_bound_hit']
  assert odd['nll'] == pytest.approx(np.log(CLASSES))
  assert odd['ece'] == pytest.approx(0, abs=1e-6)
  # The sum is the other's logits.
  pair, base = with_base(made), row(made, 'models', model='base')
  assert pair['ensemble_accuracy'] == base['accuracy']


def check_overflown(made):
  odd = row(made, 'models', model='odd')
  assert is_empty(odd, 'nll', 'nll_calibrated')
  assert odd['accuracy'] > 0
  assert np.isfinite(odd['temperature'])


def check_all_wrong(made):
  odd, pair = row(made, 'models', model='odd'), with_base(made)
  assert odd['accuracy'] == 0
  assert odd['accuracy_lower'] == 0 < odd['accuracy_upper']
  assert odd['calibration_bound_hit']
  assert odd['temperature'] == 1000
  assert pair['both_correct'] == pair['only_2'] == 0
  assert pair['kappa'] == pytest.approx(0, abs=1e-12)
  assert is_empty(pair, 'loss_rate')
  assert pair['dominance_1'] == 0
  greedy = made['greedy_best']
  assert np.isfinite(greedy['accuracy']).all()


def check_one_class(made):
  odd, pair = row(made, 'models', model='odd'), with_base(made)
  assert (odd['accuracy'], odd['nll'], odd['ece']) == (1, 0, 0)
  assert (odd['temperature'], odd['calibration_bound_hit']) == (1, True)
  assert pair['both_correct'] == pair['n'] == ROWS
  assert pair['error_inconsistency'] == pair['loss_rate'] == pair['gain'] == 0
  assert pair['mcnemar_p'] == 1
  assert is_empty(
    pair, 'kappa', 'kappa_lower', 'conversion_rate', 'neither_conversion_rate',
    'q_statistic', 'dominance_1', 'agreement_when_wrong',
  )  # fmt: skip
  assert made['correlations']['pearson'].isna().all()


def check_one_example(made):
  odd, pair = row(made, 'models', model='odd'), with_base(made)
  assert odd['n'] == pair['n'] == 1
  assert odd['accuracy'] in (0, 1)
  assert 0 <= odd['accuracy_lower'] <= odd['accuracy_upper'] <= 1
  assert np.isfinite(odd['temperature'])
  assert pair['error_inconsistency'] in (0, 1)


def check_prime(made):
  labels = np.arange(101) % CLASSES
  right = [scores_of(labels, CLASSES, s).argmax(1) == labels for s in (0, 2)]
  pair = with_base(made)
  assert pair['n'] == 101
  assert pair['both_correct'] == (right[0] & right[1]).sum()
  assert pair['only_1'] == (right[0] & ~right[1]).sum()
  assert pair['only_2'] == (~right[0] & right[1]).sum()


def check_no_similarity(made):
  found = row(made, 'similarity', model_1='base', model_2='odd')
  assert is_empty(found, 'cka')
  assert np.isfinite(
    row(made, 'similarity', model_1='base', model_2='other')['cka']
  )


def check_constant_probes(made):
  check_no_similarity(made)
  found = made['joined']
  assert len(found)
  assert found['accuracy'].between(0, 1).all()


CASES = {
  'NaN and infinite logits': ({'logits': some_unusable}, check_some_unusable),
  'labels ruled out': ({'logits': last_class_ruled_out}, check_ruled_out),
  'nothing but NaN': ({'logits': lambda z, _: z * np.nan}, check_all_unusable),
  'equal logits': ({'logits': lambda z, _: 0 * z}, check_equal),
  'float16 overflow': (
    {
      'logits': lambda z, _: (z.astype('f2') * np.float16(3e4)).astype('f4')
    },
    check_overflown,
  ),
  'all wrong': (
    {'logits': lambda _, y: -10 * np.eye(CLASSES, dtype='f4')[y]},
    check_all_wrong,
  ),
  'one class': ({'classes': 1}, check_one_class),
  'one example': ({'rows': 1}, check_one_example),
  '101 examples': ({'rows': 101}, check_prime),
  'NaN features': ({'features': lambda f: f * np.nan}, check_no_similarity),
  'constant features, probed': (
    {'features': lambda f: 0 * f + 1, 'splits': tuple(PROBED)},
    check_constant_probes,
  ),
}  # fmt: skip


@pytest.mark.filterwarnings('ignore:overflow encountered')  # By the test.
@pytest.mark.slow_except(
  'NaN and infinite logits', 'labels ruled out', 'nothing but NaN', 'one class',
  'one example', 'NaN features',
)  # fmt: skip
@pytest.mark.parametrize('case', CASES)
def test_all_tables_and_the_page(tmp_path, case):
  given, check = CASES[case]
  build(tmp_path, **given)
  check(analyse(tmp_path))


def test_features_that_are_not_finite_are_not_probed(tmp_path):
  build(tmp_path, features=lambda f: f * np.nan, splits=tuple(PROBED))
  with pytest.raises(errors.DataError, match=r'odd.* must be finite'):
    analyse(tmp_path)


@pytest.mark.parametrize(
  ('labels', 'ids', 'text'),
  [
    ([0, 3], ['a', 'b'], r'in \[0, 3\), the number of classes, got 3 in row 1'),
    ([0, -1], ['a', 'b'], 'got -1 in row 1'),
    (
      [0, 1],
      ['a', 'a'],
      "must be unique, got 1 more than once, among them 'a'",
    ),
  ],
)
def test_what_no_store_holds(tmp_path, labels, ids, text):
  with pytest.raises(errors.DataError, match=text):
    store.write_examples(
      tmp_path, dataset='d', split='test', ids=ids, labels=labels,
      class_names=['a', 'b', 'c'],
    )  # fmt: skip
  assert not list(tmp_path.rglob('record.json'))

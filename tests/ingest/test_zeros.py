"""Zeros among probabilities are read as small probabilities, and say so."""

import json

import ml_dtypes
import numpy as np
import pandas as pd
import pytest

from overlap import ingest
from overlap.analyses import run
from overlap.ingest import zeros as zeros_lib


def survey(values, *, step=2, logarithms=False):
  values = np.asarray(values)
  blocks = ((i, values[i : i + step]) for i in range(0, len(values), step))
  return zeros_lib.survey(blocks, logarithms=logarithms)


def naive_fill(rows, step):
  """What stands for the probabilities of rows, value by value."""
  made = []
  for row in rows:
    zeros = sum(value == 0 for value in row)
    lack = max(1 - sum(row), step / 2)
    made.append([v if v > 0 else min(step / 2, lack / zeros) for v in row])
  return np.array(made)


@pytest.mark.parametrize('places', [1, 2, 3, 4])
@pytest.mark.parametrize('logarithms', [False, True])
def test_zeros_of_rounded_probabilities(places, logarithms):
  rng = np.random.default_rng(places)
  values = rng.dirichlet([0.05] * 12, size=50).round(places)
  assert (values == 0).any()
  with np.errstate(divide='ignore'):
    logs = np.log(values)
  found = survey(logs if logarithms else values, logarithms=logarithms)
  assert found.number == np.count_nonzero(values == 0)
  assert found.decimals == places
  assert found.step == pytest.approx(10.0**-places)
  expected = naive_fill(values.tolist(), 10.0**-places)
  np.testing.assert_allclose(
    np.exp(zeros_lib.fill(logs, found)), expected, rtol=1e-9
  )


@pytest.mark.parametrize(
  ('dtype', 'places'),
  [('f8', 3), ('f8', 5), ('f4', 3), ('f4', 5), ('f2', 2), ('>f4', 2)],
)
def test_decimals_are_told_in_every_precision(dtype, places):
  values = np.random.default_rng(0).dirichlet([0.5] * 4, size=200)
  rounded = values.round(places).astype(dtype)
  assert survey(rounded).decimals == places
  assert survey(values.astype(dtype)).decimals is None


@pytest.mark.parametrize('dtype', ['f2', 'f4', ml_dtypes.bfloat16])
def test_what_underflows_is_at_most_half_of_the_smallest(dtype):
  logits = np.random.default_rng(0).normal(size=(100, 5), scale=60)
  values = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
  values = values.astype(dtype)
  given = values.astype(np.float64)
  assert (given == 0).any()
  found = survey(values)
  smallest = given[given > 0].min()
  assert (found.decimals, found.step) == (None, pytest.approx(smallest))
  with np.errstate(divide='ignore'):
    made = np.exp(zeros_lib.fill(np.log(given), found))
  assert (made[given == 0] <= smallest * 0.500001).all()
  assert (made > 0).all()
  np.testing.assert_allclose(made[given > 0], given[given > 0])


def test_a_row_keeps_its_sum():
  # Of a thousand classes, half a unit each would add a half.
  values = np.zeros((2, 1000))
  values[0, :3] = 0.5, 0.3, 0.1
  values[1, 0] = 1
  with np.errstate(divide='ignore'):
    logs = np.log(values)
  made = np.exp(zeros_lib.fill(logs, survey(values)))
  # The first lacks a tenth; the second nothing, and gets half a unit.
  np.testing.assert_allclose(made.sum(axis=1), [1.0, 1.05])


def test_sums_may_be_off_by_what_rounding_does(case):
  """Two decimals of a hundred classes: sums may be off by 0.5."""
  rng = np.random.default_rng(0)
  values = rng.dirichlet([0.1] * 100, size=23).round(2)
  assert (np.abs(values.sum(axis=1) - 1) > 0.01).any()
  labels = np.arange(23)
  np.savez(case.folder / 'm.npz', probs=values, labels=labels)
  case.ingest(case.folder / 'm.npz', dataset='hundred')


@pytest.mark.parametrize('kind', ['probs', 'log_probs'])
def test_one_hot_rows_are_classes(case, kind):
  values = np.eye(4)[case.predicted]
  with np.errstate(divide='ignore'):
    given = np.log(values) if kind == 'log_probs' else values
  path = case.folder / 'm.npz'
  np.savez(path, **{kind: given}, ids=case.ids, labels=case.labels)
  (made,) = case.ingest(path)
  assert made.record['kind'] == 'classes'
  assert list(made.record['arrays']) == ['predicted']
  assert 'stored as classes' in made.record['notes'][0]
  np.testing.assert_array_equal(case.read('m', 'predicted'), case.predicted)
  (again,) = case.ingest(path)
  assert not again.new


def test_one_row_that_is_not_one_hot(case):
  values = np.eye(4)[case.predicted]
  values[-1] = [0.5, 0.25, 0.25, 0]
  np.savez(case.folder / 'm.npz', probs=values, ids=case.ids)
  (made,) = case.ingest(case.folder / 'm.npz')
  assert made.record['kind'] == 'probs'
  assert np.isfinite(case.read('m')).all()


def _write(case, name, values, style):
  path = case.folder / f'{name}.{style.partition(" ")[0]}'
  columns = {f'prob_{i}': values[:, i] for i in range(values.shape[1])}
  frame = pd.DataFrame({'id': case.ids, **columns})
  match style:
    case 'csv':
      frame.to_csv(path, index=False)
    case 'parquet':
      frame.to_parquet(path)
    case 'npz':
      np.savez(path, probs=values, ids=case.ids)
    case 'npz of float32':
      np.savez(path, probs=values.astype(np.float32), ids=case.ids)
    case 'npz of logarithms':
      with np.errstate(divide='ignore'):
        np.savez(path, log_probs=np.log(values), ids=case.ids)
    case 'json timm':
      pairs = zip(case.ids, values.tolist())
      path.write_text(json.dumps({i: {'prob': row} for i, row in pairs}))
  return path


@pytest.mark.parametrize(
  'style',
  ['csv', 'parquet', 'npz', 'npz of float32', 'npz of logarithms', 'json timm'],
)
def test_every_format_says_what_its_zeros_are_read_as(case, style):
  values = case.probabilities.round(3)
  path = _write(case, 'm', values, style)
  format_name = 'timm' if 'timm' in style else ''
  (made,) = case.ingest(path, format=format_name)
  (note,) = made.record['notes']
  zeros = np.count_nonzero(values == 0)
  assert f'{zeros} probabilities of 0 are read as' in note
  assert 'at most 0.0005 each (half a unit of the last of 3 dec' in note
  expected = np.log(naive_fill(values.tolist(), 0.001))
  np.testing.assert_allclose(case.read('m'), expected, atol=2e-4)


def test_logits_that_are_logarithms_of_rounded_probabilities(case):
  values = case.probabilities.round(3)
  with np.errstate(divide='ignore'):
    logs = np.log(values)
  path = case.folder / 'm.npz'
  np.savez(path, logits=logs, ids=case.ids)
  (made,) = case.ingest(path)
  assert made.record['kind'] == 'log_probs'
  assert 'logarithms of probabilities' in made.record['notes'][0]
  expected = np.log(naive_fill(values.tolist(), 0.001))
  np.testing.assert_allclose(case.read('m'), expected, atol=2e-4)
  # As they are, where it is said.
  case.ingest(path, model='raw', kind='logits')
  np.testing.assert_array_equal(case.read('raw'), logs.astype(np.float32))


def test_masked_logits_stay(case):
  logits = case.logits.copy()
  logits[:, 2] = -np.inf
  np.savez(case.folder / 'm.npz', logits=logits, ids=case.ids)
  (made,) = case.ingest(case.folder / 'm.npz')
  assert (made.record['kind'], made.record['notes']) == ('logits', [])
  np.testing.assert_array_equal(case.read('m'), logits)


def test_nothing_is_said_without_zeros(case):
  np.savez(case.folder / 'm.npz', probs=case.probabilities, ids=case.ids)
  (made,) = case.ingest(case.folder / 'm.npz')
  assert made.record['notes'] == []


ROWS, CLASSES = 4000, 10


def overconfident(accuracy, labels, rng):
  """Probabilities of a model that is nearly as sure where it is wrong."""
  right = rng.random(ROWS) < accuracy
  shift = np.where(right, 0, rng.integers(1, CLASSES, ROWS))
  logits = rng.normal(size=(ROWS, CLASSES), scale=2)
  size = np.where(right, 12, 9.6) * np.exp(0.3 * rng.normal(size=ROWS))
  logits[np.arange(ROWS), (labels + shift) % CLASSES] += size
  return np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))


def skilled(skill, labels, rng):
  """Probabilities of a model that is surer where it is right."""
  logits = rng.normal(size=(ROWS, CLASSES))
  logits[np.arange(ROWS), labels] += skill
  logits *= 3.0
  return np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))


TABLES = [
  'models', 'pairs', 'greedy', 'interpolation', 'interpolation_optima',
]  # fmt: skip


@pytest.fixture(scope='module')
def studies(tmp_path_factory):
  """Tables of models in full and rounded to three decimals, by their names."""
  rng = np.random.default_rng(0)
  labels = rng.integers(0, CLASSES, ROWS)
  models = {
    'sure 88': overconfident(0.89, labels, rng),
    'sure 80': overconfident(0.81, labels, rng),
    'calm 88': skilled(2.7, labels, rng),
    'calm 80': skilled(2.3, labels, rng),
  }
  made = {}
  for kind in ('full', 'rounded'):
    folder = tmp_path_factory.mktemp(kind)
    for name, values in models.items():
      probs = values if kind == 'full' else values.round(3)
      np.savez(folder / f'{name}.npz', probs=probs, labels=labels)
    request = ingest.Request(
      workdir=folder / 'w', dataset='d', split='test', predictions=str(folder)
    )
    ingest.ingest(request)
    for pair in ('sure', 'calm'):
      made[kind, pair] = run.analyse(
        workdir=folder / 'w', dataset='d', split='test', base=f'{pair} 88',
        models=[f'{pair} 80'],
        options={'tables': TABLES, 'resamples': 0},
      )  # fmt: skip
  return made


@pytest.mark.parametrize('pair', ['sure', 'calm'])
@pytest.mark.parametrize(
  ('table', 'column'),
  [
    ('models', 'accuracy'),
    ('pairs', 'ensemble_accuracy'),
    ('pairs', 'ensemble_accuracy_probs'),
    ('greedy', 'accuracy'),
    ('interpolation_optima', 'accuracy_half'),
    ('interpolation_optima', 'accuracy_best'),
  ],
)
def test_accuracy_of_rounded_probabilities(studies, pair, table, column):
  full, rounded = (
    studies[kind, pair][table][column].to_numpy()
    for kind in ('full', 'rounded')
  )
  limit = 0.008 if table == 'greedy' else 0.004  # That of halves too.
  assert len(full)
  assert np.abs(full - rounded).max() < limit


def test_losses_of_rounded_probabilities(studies):
  full, rounded = (
    studies[kind, 'calm']['models'].set_index('model')
    for kind in ('full', 'rounded')
  )
  for column in ('nll', 'nll_calibrated', 'ece'):
    assert np.abs(full[column] - rounded[column]).max() < 0.01

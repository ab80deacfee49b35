"""Tables written and read back, to the byte and to the type."""

import numpy as np
import pandas as pd
import pytest

from overlap.core import errors
from overlap.tables import schemas, table_io

# As the contract lists them.
MODELS = [
  'model',
  'category',
  'method',
  'head',
  'dataset',
  'split',
  'n',
  'temperature',
  'accuracy',
  'nll',
  'nll_calibrated',
  'ece',
  'ece_calibrated',
  'error_inconsistency',
  'ensemble_accuracy',
]
PAIRS = [
  'model_1',
  'model_2',
  'category',
  'dataset',
  'split',
  'n',
  'both_correct',
  'only_1',
  'only_2',
  'neither',
  'accuracy_1',
  'accuracy_2',
  'error_inconsistency',
  'kappa',
  'ensemble_accuracy',
  'gain',
  'conversion_rate',
  'neither_conversion_rate',
  'loss_rate',
  'ensemble_accuracy_probs',
  'mcnemar_p',
  'mcnemar_p_holm',
]
NAMES = list(schemas.SCHEMAS)

# Texts that other readers take for something else.
TEXTS = ['NA', 'None', 'nan', '1.0', 'a,b "c"', 'é\n', ' x ', 'true']


def example(name, rows=8, seed=0):
  """A table with every kind of value in it."""
  rng = np.random.default_rng(seed)
  columns = {}
  for column, kind in schemas.SCHEMAS[name].items():
    if kind == 'str':
      values = [TEXTS[i % len(TEXTS)] for i in range(rows)]
    elif kind in ('int64', 'Int64'):
      values = rng.integers(0, 2**62, rows).tolist()
    elif kind in ('bool', 'boolean'):
      values = (rng.random(rows) < 0.5).tolist()
    else:
      values = (rng.random(rows) * 10.0 ** rng.integers(-9, 9, rows)).tolist()
    if kind in ('Int64', 'boolean', 'float64') and rows:
      values[rng.integers(rows)] = None
    columns[column] = values
  return table_io.typed(name, columns)


def test_columns_begin_as_the_contract_has_them():
  assert list(table_io.MODELS_COLUMNS[: len(MODELS)]) == MODELS
  assert list(table_io.PAIRS_COLUMNS[: len(PAIRS)]) == PAIRS
  for columns, names in (
    (table_io.MODELS_COLUMNS, ['accuracy', 'ensemble_accuracy']),
    (table_io.PAIRS_COLUMNS, ['kappa', 'gain', 'conversion_rate']),
  ):
    for name in ['error_inconsistency', *names]:
      assert {f'{name}_lower', f'{name}_upper'} <= set(columns)
  assert {'in_window', 'calibration_converged', 'calibration_bound_hit'} <= set(
    table_io.MODELS_COLUMNS
  )


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('rows', [0, 1, 8])
def test_reads_back_what_was_written(tmp_path, name, rows):
  frame = example(name, rows)
  table_io.write_table(tmp_path, name, frame)
  got = table_io.read_table(tmp_path, name)
  pd.testing.assert_frame_equal(got, frame, check_exact=True)
  parquet = pd.read_parquet(tmp_path / 'tables' / f'{name}.parquet')
  pd.testing.assert_frame_equal(parquet, frame, check_exact=True)


@pytest.mark.parametrize('name', NAMES)
def test_the_same_frame_gives_the_same_bytes(tmp_path, name):
  for folder in ('one', 'two'):
    table_io.write_table(tmp_path / folder, name, example(name))
  for file in (f'{name}.csv', f'{name}.parquet'):
    one, two = (tmp_path / f / 'tables' / file for f in ('one', 'two'))
    assert one.read_bytes() == two.read_bytes()
  csv = (tmp_path / 'one' / 'tables' / f'{name}.csv').read_bytes()
  assert csv == table_io.to_csv(example(name))
  # Written again from what was read, it is still the same.
  assert table_io.to_csv(table_io.read_table(tmp_path / 'one', name)) == csv


def test_numbers_are_short_and_missing_ones_are_empty():
  columns = {key: [None, 0.1] for key in schemas.SCHEMAS['correlations']}
  columns |= {'name': ['', 'x'], 'scope': ['s', 's'], 'n': [3, 4]}
  columns['slope'] = [1 / 3, np.nan]
  csv = table_io.to_csv(table_io.typed('correlations', columns)).decode()
  assert csv.splitlines() == [
    'name,scope,pearson,slope,lower,upper,n,slope_lower,slope_upper',
    ',s,,0.3333333333333333,,,3,,',
    'x,s,0.1,,0.1,0.1,4,0.1,0.1',
  ]


def test_further_columns_may_follow(tmp_path):
  frame = example('models').assign(own=1.5)
  table_io.write_table(tmp_path, 'models', frame)
  assert table_io.read_table(tmp_path, 'models')['own'].tolist() == [1.5] * 8


def test_other_tables_need_no_schema(tmp_path):
  frame = pd.DataFrame({'model': ['NA', 'b'], 'k': [256, 512]})
  table_io.write_table(tmp_path, 'probes', frame)
  pd.testing.assert_frame_equal(table_io.read_table(tmp_path, 'probes'), frame)


def test_wrong_columns_are_refused(tmp_path):
  frame = example('pairs')
  with pytest.raises(ValueError, match='must begin with'):
    table_io.write_table(tmp_path, 'pairs', frame[frame.columns[::-1]])
  with pytest.raises(ValueError, match='kappa'):
    table_io.typed('pairs', dict(frame.drop(columns='kappa')))
  assert not (tmp_path / 'tables').exists()


def test_an_absent_table_says_what_makes_it(tmp_path):
  with pytest.raises(errors.DataError, match='overlap analyse') as caught:
    table_io.read_table(tmp_path, 'models')
  assert 'models.csv' in str(caught.value)


@pytest.mark.parametrize(
  'spoil',
  [
    pytest.param(lambda text: '', id='empty'),
    pytest.param(lambda text: text.replace('accuracy,', 'acc,'), id='renamed'),
    pytest.param(lambda text: text.replace('0.', 'O.'), id='no number'),
    pytest.param(lambda text: text + 'a,b\n' + ',' * 99, id='ragged'),
  ],
)
def test_an_edited_table_is_told(tmp_path, spoil):
  table_io.write_table(tmp_path, 'models', example('models'))
  path = tmp_path / 'tables' / 'models.csv'
  path.write_text(spoil(path.read_text()))
  with pytest.raises(errors.DataError, match=r'models\.csv'):
    table_io.read_table(tmp_path, 'models')


def test_nothing_half_written_is_left(tmp_path):
  table_io.write_table(tmp_path, 'models', example('models'))
  table_io.write_table(tmp_path, 'models', example('models', seed=1))
  names = sorted(path.name for path in (tmp_path / 'tables').iterdir())
  assert names == ['models.csv', 'models.parquet']

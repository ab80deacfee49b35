"""What every reader makes of ids, classes and confidences."""

import decimal

import numpy as np
import pytest

from overlap.core import errors
from overlap.ingest import source


@pytest.mark.parametrize(
  ('values', 'expected'),
  [
    (['a', '007'], ['a', '007']),
    ([7, 10], ['7', '10']),
    (np.array([b'a', 'ä'.encode()]), ['a', 'ä']),
    (np.array(['x', 3], object), ['x', '3']),
    (np.array([], np.float64), []),
    (np.array([2**63], np.uint64), ['9223372036854775808']),
  ],
)
def test_text(values, expected):
  made = source.text(values, 'ids')
  assert made.dtype.kind == 'U'
  assert made.tolist() == expected


@pytest.mark.parametrize(
  'values',
  [
    [0.5],
    [[1]],
    3,
    np.array([b'\xff']),
    np.array([None], object),
    [True],
    ['a', ['b']],
    [1.5, 10**400],
  ],
)
def test_what_is_no_text(values):
  with pytest.raises(errors.DataError, match=r'^ids of f must be .*got'):
    source.text(values, 'ids of f')


@pytest.mark.parametrize('make', [list, lambda v: np.array(v, object)])
@pytest.mark.parametrize('function', [source.text, source.classes_or_names])
def test_one_text_that_is_too_long_is_refused_before_all_are_padded(
  make, function
):
  # As a quotation mark leaves it that is closed some thousand rows later.
  values = ['a'] * 100_000
  values[7] = '"img_7.png\n' + 'x' * 500_000
  with pytest.raises(errors.DataError, match=r'got 500011 in row 7, .*img_7'):
    function(make(values), 'ids of f')
  values[7] = 'x' * 300
  assert function(make(values), 'ids of f')[7] == 'x' * 300


@pytest.mark.parametrize(
  ('values', 'expected'),
  [
    ([1, 0], [1, 0]),
    (np.array([[1], [10]]), [1, 10]),
    (np.array([3], np.uint8), [3]),
    ([1.0, 2.0], [1, 2]),
    (['1', '-2', '+3'], [1, -2, 3]),
    ([' 3', '10.0', '1.100000000000000000e+01', '5.'], [3, 10, 11, 5]),
    ([b'2', b'10'], [2, 10]),
    ([True, False], ['True', 'False']),
    ([decimal.Decimal('2.00')], [2]),
    ([' cat', 'dog '], ['cat', 'dog']),
    (['cafe\u0301'], ['caf\u00e9']),
    ([1, np.nan], ['1', '']),
    ([3, None], ['3', '']),
    (['7', ''], ['7', '']),
    (['0.5', '1'], ['0.5', '1']),
    (['1e10', '1_0'], ['1e10', '1_0']),
    (['\u0663'], ['\u0663']),
    (['cat', 'dog'], ['cat', 'dog']),
    (['1', 'dog'], ['1', 'dog']),
    ([], []),
  ],
)
def test_classes_or_names(values, expected):
  assert source.classes_or_names(values, 'x').tolist() == expected


@pytest.mark.parametrize(
  ('values', 'got'),
  [
    ([0.5], 'got 0.5 in row 0'),
    ([1, np.inf], 'got inf in row 1'),
    ([1, 1e12], 'in row 1'),
    ([[1, 2]], 'got int'),
    ([1, [2]], 'one an example, got lists in some rows'),
    ([1.5, 10**400], 'got 1.5 in row 0'),
    ([1, 10**400], 'got 1000'),
    ([1, {}], 'got a dict in row 1'),
  ],
)
def test_what_is_no_class(values, got):
  with pytest.raises(errors.DataError, match=r'^predicted must be') as caught:
    source.classes_or_names(values, 'predicted')
  assert got in str(caught.value)


def test_confidences():
  made = source.confidences([0, 0.5, 1 + 1e-7], 'x')
  assert made.dtype == np.float32
  assert made.tolist() == [0, 0.5, 1]


@pytest.mark.parametrize(
  ('values', 'got'),
  [
    ([0.5, 1.1], 'got 1.1 in row 1'),
    ([-0.1], 'got -0.1 in row 0'),
    ([np.nan], 'got nan in row 0'),
    ([[0.5]], r'got shape \[1, 1\]'),
    (['high'], 'could not convert'),
  ],
)
def test_what_is_no_confidence(values, got):
  with pytest.raises(errors.DataError, match=got):
    source.confidences(values, 'x')


@pytest.mark.parametrize('rows', [0, 1, 7, 8, 9])
def test_blocks_of_an_array(rows, monkeypatch):
  monkeypatch.setattr(source, 'BLOCK_BYTES', 4 * 8 * 3)
  values = np.arange(3.0 * rows).reshape(rows, 3)
  blocks = list(source.sliced(values)())
  assert [start for start, _ in blocks] == list(range(0, rows, 4))
  whole = np.concatenate([np.empty((0, 3)), *(block for _, block in blocks)])
  np.testing.assert_array_equal(whole, values)


def test_a_block_has_a_row_at_least():
  assert source.block_rows(10**12) == 1
  assert source.block_rows(0) == source.BLOCK_BYTES

"""Scores of every kind to logits; what is none is refused with its row."""

import ml_dtypes
import numpy as np
import pytest

from overlap.core import errors
from overlap.ingest import convert, source
from overlap.ingest import zeros as zeros_lib

KINDS = source.KINDS[:3]


def logits(values, kind='logits', *, allow_nan=False, step=3, rows=None):
  values = np.asarray(values)

  def blocks():
    for start in range(0, len(values), step):
      yield start, values[start : start + step]

  zeros = None
  if kind != 'logits':
    zeros = zeros_lib.survey(blocks(), logarithms=kind == 'log_probs')
  made = convert.logits(
    blocks(), kind=kind, what='f', allow_nan=allow_nan, zeros=zeros,
    rows=len(values) if rows is None else rows,
  )  # fmt: skip
  parts = [block for _, block in made]
  assert all(part.dtype == np.float32 for part in parts)
  return np.concatenate([np.empty((0, values.shape[1]), np.float32), *parts])


@pytest.mark.parametrize('rows', [0, 1, 3, 8])
@pytest.mark.parametrize(
  'dtype', ['f2', 'f4', 'f8', '>f4', 'i1', 'u8', ml_dtypes.bfloat16]
)
def test_logits_stay_what_they_are(rows, dtype):
  values = np.arange(4 * rows).reshape(rows, 4).astype(dtype)
  np.testing.assert_array_equal(logits(values), values.astype(np.float32))


@pytest.mark.parametrize('dtype', ['f2', 'f4', 'f8'])
def test_probabilities_and_their_logarithms(dtype):
  rng = np.random.default_rng(0)
  values = rng.dirichlet([2.0] * 5, size=8).astype(dtype)
  expected = np.log(values.astype(np.float64))
  made = logits(values, 'probs')
  np.testing.assert_allclose(made, expected, rtol=1e-6)
  log = logits(expected, 'log_probs')
  np.testing.assert_array_equal(log, expected.astype(np.float32))
  # So that softmax gives the probabilities back.
  again = np.exp(made.astype(np.float64))
  np.testing.assert_allclose(again, values, atol=1e-6)


@pytest.mark.parametrize(
  ('row', 'kind', 'got'),
  [
    ([np.nan, 1.0], 'logits', 'infinite ones in 1 of 5 rows, first in row 4'),
    ([np.inf, 1.0], 'logits', 'in 1 of 5 rows, first in row 4'),
    ([-np.inf, -np.inf], 'logits', 'in 1 of 5 rows, first in row 4'),
    ([1e39, 0.0], 'logits', 'within float32 (3.4e38), got 1e+39 in row 4'),
    ([0.5, 0.6], 'probs', 'got a sum of 1.1 in row 4'),
    ([1.5, -0.5], 'probs', 'have probabilities, got -0.5 in row 4'),
    ([0.0, 0.0], 'probs', 'got a sum of 0 in row 4'),
    ([1e308, 1e308], 'probs', 'got a sum of inf in row 4'),
    ([np.nan, 1.0], 'probs', 'in 1 of 5 rows, first in row 4'),
    ([0.0, 0.0], 'log_probs', 'got a sum of 2 in row 4'),
    ([800.0, 0.0], 'log_probs', 'got a sum of inf in row 4'),
  ],
)  # fmt: skip
def test_what_is_refused(row, kind, got):
  good = np.log([0.5, 0.5]) if kind == 'log_probs' else [0.5, 0.5]
  with pytest.raises(errors.DataError) as caught:
    logits([good] * 4 + [row], kind)
  assert str(caught.value).startswith('f must have')
  assert got in str(caught.value)


def test_nan_where_it_is_allowed():
  values = [[0.5, 0.5], [np.nan, 1.0], [np.inf, 0.0]]
  made = logits(values, allow_nan=True)
  np.testing.assert_array_equal(made, np.array(values, np.float32))


def test_minus_infinity_among_logits_stays():
  made = logits([[-np.inf, 2.0]])
  assert made.tolist() == [[-np.inf, 2]]


@pytest.mark.parametrize('rows', [4, 6])
def test_fewer_or_more_rows_than_there_must_be(rows):
  with pytest.raises(errors.DataError, match=f'must have {rows} rows, got 5'):
    logits(np.zeros((5, 2)), rows=rows)


@pytest.mark.parametrize(
  ('values', 'expected'),
  [
    ([[0.2, 0.8], [1.0, 0.0]], True),
    ([[0.2, 0.7996]], True),
    ([[0.2, 0.7]], False),
    ([[1.2, -0.2]], False),
    ([[np.nan, 1.0]], False),
    ([[1.0], [1.0]], False),  # One class alone says nothing.
    (np.empty((0, 2)), False),
    (np.eye(3, dtype=np.int64), True),
    # Rounded to two decimals, four numbers may lack one hundredth.
    ([[0.12, 0.23, 0.34, 0.30]], True),
    ([[0.121, 0.232, 0.343, 0.294]], False),
  ],
)
def test_what_looks_like_probabilities(values, expected):
  assert convert.look_like_probabilities(np.asarray(values)) is expected

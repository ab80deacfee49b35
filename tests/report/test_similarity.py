"""Tests of overlap.report.similarity against numbers made up by hand."""

import numpy as np
import pandas as pd
import pytest

from overlap.report import similarity


def row(
  measure, r, lower, upper, stronger=np.nan, low=np.nan, high=np.nan, n=28
):
  return {
    'name': f'error_inconsistency_vs_{measure}', 'scope': 'all', 'n': n,
    'pearson': r, 'pearson_lower': lower, 'pearson_upper': upper,
    'stronger': stronger, 'stronger_lower': low, 'stronger_upper': high,
  }  # fmt: skip


def said(*rows):
  tables = {'similarity_correlations': pd.DataFrame(rows)}
  found = similarity.similarity(tables)
  return None if found is None else found.sentences


def test_cka_alone():
  (only,) = said(row('cka', -0.4, -0.7, 0.1))
  assert 'Over the 28 pairs of models' in only
  assert 'r = −0.40 (−0.70 to 0.10), which may be chance' in only
  (only,) = said(row('cka', -0.4, np.nan, np.nan))
  assert 'too few models for an interval' in only


@pytest.mark.parametrize(
  ('difference', 'expected'),
  [
    ((0.3, 0.1, 0.5), 'its |r| is above that of CKA by 0.300 (0.100–0.500)'),
    ((0.3, -0.1, 0.7), 'whether better than CKA is open'),
    ((0.3, np.nan, np.nan), 'whether better than CKA is open'),
  ],
)
def test_another_goes_best(difference, expected):
  _, listed, best = said(
    row('cka', -0.4, -0.6, -0.2), row('cca', -0.7, -0.8, -0.6, *difference)
  )
  assert 'mean canonical correlation r = −0.70 (−0.80 to −0.60)' in listed
  assert best.startswith('Mean canonical correlation goes best')
  assert expected in best


@pytest.mark.parametrize(
  ('upper', 'expected'),
  [(-0.01, 'by more than'), (0.1, 'by no more than'), (np.nan, 'by no more')],
)
def test_cka_goes_best(upper, expected):
  *_, best = said(
    row('cka', -0.9, -0.95, -0.8),
    row('cca', -0.4, -0.6, -0.2, -0.5, -0.7, -0.3),
    row('mutual_knn', -0.6, -0.8, -0.3, -0.3, -0.5, upper),
  )
  assert best.startswith('Linear CKA goes best')
  assert expected in best


def test_two_pairs_have_no_correlation():
  lines = (row('cka', -1.0, np.nan, np.nan, n=2), row('cca', 1, 1, 1, n=2))
  assert said(*lines) == (
    'There are too few pairs (2) for a correlation of error inconsistency and'
    ' CKA.',
  )
  # Another similarity that few pairs have is in no comparison.
  (only,) = said(row('cka', -0.4, -0.6, -0.2), row('cca', 1, 1, 1, n=4))
  assert 'r = −0.40' in only


def test_without_correlations(tables):
  assert said(row('cka', np.nan, np.nan, np.nan)) is None
  assert similarity.similarity(tables) is not None
  del tables['similarity_correlations']
  assert similarity.similarity(tables) is None

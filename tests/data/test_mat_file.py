"""Tests of overlap.data.mat_file, against the files that SciPy writes."""

import io

import numpy as np
import pytest
import scipy.io

from overlap.data import mat_file


def write(rows, **options):
  fields = list(rows[0])
  table = np.zeros((len(rows), 1), [(field, 'O') for field in fields])
  for place, row in enumerate(rows):
    table[place, 0] = tuple(row[field] for field in fields)
  content = io.BytesIO()
  scipy.io.savemat(content, {'other': np.eye(3), 'rows': table}, **options)
  return content.getvalue()


ROWS = [
  {'id': i, 'name': f'n{i:08d}', 'words': 'tenché' * i, 'share': i / 7}
  for i in range(1, 12)
]


@pytest.mark.parametrize('compressed', [False, True])
@pytest.mark.parametrize('count', [1, 2, 11])
def test_text_and_numbers_of_structures(compressed, count):
  content = write(ROWS[:count], do_compression=compressed)
  assert mat_file.read_structures(content, 'rows') == ROWS[:count]


def test_what_is_neither_text_nor_a_number_is_none():
  rows = [{'a': np.eye(2), 'b': np.zeros(0), 'c': {'d': 1}, 'e': 2.5}]
  assert mat_file.read_structures(write(rows), 'rows') == [
    {'a': None, 'b': None, 'c': None, 'e': 2.5}
  ]


@pytest.mark.parametrize(
  ('content', 'name', 'told'),
  [
    (b'', 'rows', 'version 5'),
    (bytes(200), 'rows', 'version 5'),
    (write(ROWS), 'none', "no variable 'none'"),
    (write(ROWS), 'other', 'no structures'),
    (write(ROWS)[:-20], 'rows', 'an element of'),
    (write(ROWS, do_compression=True)[:-20], 'rows', 'an element of'),
  ],
)
def test_other_files_are_refused(content, name, told):
  with pytest.raises(ValueError, match=told):
    mat_file.read_structures(content, name)

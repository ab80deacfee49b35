"""Names sorted by the numbers in them, and an order told in the log."""

import random

import pytest

from overlap.core import natural_order


@pytest.mark.parametrize(
  'expected',
  [
    [],
    ['a'],
    [str(i) for i in range(1000)],
    [f'class_{i}' for i in range(12)],
    ['n01440764', 'n01443537', 'n02119789'],
    ['1', '2', '10', 'a'],
    ['', '0', '00', '007', '7', '08'],
    ['B', 'a', 'b'],
    ['v1.2-x9', 'v1.10-x1', 'v1.10-x2', 'v2'],
    ['image1.png', 'image2.png', 'image10.png'],
    ['x' + '9' * 5000, 'x1' + '0' * 5000],
  ],
)
def test_sorted_whatever_the_order_before(expected):
  names = list(expected)
  for seed in range(5):
    random.Random(seed).shuffle(names)
    assert natural_order.sort_naturally(names) == expected


def test_digits_of_other_scripts_are_text():
  assert natural_order.sort_naturally(['x٣', 'x9', 'x²', 'x10']) == [
    'x9', 'x10', 'x²', 'x٣',
  ]  # fmt: skip


@pytest.mark.parametrize(
  ('names', 'expected'),
  [
    ([], '0'),
    (['a'], "1: 'a'"),
    (['b', 'a', 'd', 'c'], "4: 'b', 'a', 'd', 'c'"),
    ([f'c{i}' for i in range(12)], "12: 'c0', 'c1', 'c2', ..., 'c11'"),
    (['a\n', 'b'], "2: 'a\\n', 'b'"),
  ],
)
def test_an_order_in_words(names, expected):
  assert natural_order.describe_order(names) == expected

"""Tests of overlap.data.splits."""

import hashlib
import itertools

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from overlap.core import errors
from overlap.data import splits

SETTINGS = hypothesis.settings(deadline=None, max_examples=60)


def make_ids(count):
  return np.array([f'train/{i:05d}' for i in range(count)], dtype=np.str_)


def choose(expression, ids):
  return splits.parse(expression).positions(ids).tolist()


def choose_or_empty(expression, ids):
  try:
    return choose(expression, ids)
  except errors.UsageError as e:
    if 'must hold an example' not in str(e):
      raise
    return []


@pytest.mark.parametrize(
  ('expression', 'name', 'start', 'stop'),
  [
    ('train', 'train', '', ''),
    ('train[10%:]', 'train', '10%', ''),
    ('train[:5000]', 'train', '', '5000'),
    ('test[1000:3000]', 'test', '1000', '3000'),
    ('train[2.5%:12.5%]', 'train', '2.5%', '12.5%'),
    ('  train [ 10% : ] ', 'train', '10%', ''),
    ('my-split_2[:]', 'my-split_2', '', ''),
  ],
)
def test_parse(expression, name, start, stop):
  split = splits.parse(expression)
  assert (split.name, split.start, split.stop) == (name, start, stop)
  assert split.is_whole == (not start and not stop)


@pytest.mark.parametrize(
  'expression',
  ['', '[:10%]', 'train[', 'train[]', 'train[5]', 'train[-5:]', 'train[:5%%]',
   'train[a:]', 'train[1:2:3]', 'train[:5]x', 'train[.5%:]', 'train[1.5:]'],
)  # fmt: skip
def test_what_is_no_split_is_a_usage_error(expression):
  with pytest.raises(errors.UsageError, match='must look like') as error:
    splits.parse(expression)
  assert repr(expression) in str(error.value)


def test_hash_order_against_a_naive_restatement():
  ids = make_ids(200)
  expected = sorted(
    range(200),
    key=lambda i: hashlib.sha256(f'overlap/split/1:{ids[i]}'.encode()).digest(),
  )
  assert splits.hash_order(ids).tolist() == expected


def test_slices_never_change():
  # `printf overlap/split/1:train/0000N | sha256sum` begins for N = 0 .. 4 with
  # 416d, 1046, 2470, cb1f and 3850.
  assert splits.hash_order(make_ids(5)).tolist() == [1, 2, 4, 0, 3]


@SETTINGS
@hypothesis.given(
  count=st.integers(1, 300), percent=st.decimals(0, 100, places=1)
)
def test_percentages_partition_exactly(count, percent):
  ids = make_ids(count)
  left = choose_or_empty(f'train[:{percent}%]', ids)
  right = choose_or_empty(f'train[{percent}%:]', ids)
  assert sorted(left + right) == list(range(count))
  assert abs(len(left) - count * float(percent) / 100) <= 0.5 + 1e-9


@SETTINGS
@hypothesis.given(
  data=st.data(),
  count=st.integers(1, 200),
)
def test_absolute_positions_partition_exactly(data, count):
  cuts = data.draw(st.lists(st.integers(0, count), max_size=4))
  bounds = [0, *sorted(cuts), count]
  ids = make_ids(count)
  chosen = [
    choose_or_empty(f'train[{a}:{b}]', ids)
    for a, b in itertools.pairwise(bounds)
  ]
  assert [len(c) for c in chosen] == [
    b - a for a, b in itertools.pairwise(bounds)
  ]
  assert sorted(itertools.chain(*chosen)) == list(range(count))


@SETTINGS
@hypothesis.given(seed=st.integers(0, 2**32 - 1), count=st.integers(2, 200))
def test_the_choice_does_not_depend_on_the_order(seed, count):
  ids = make_ids(count)
  shuffled = np.random.default_rng(seed).permutation(ids)
  for expression in ('train[:1]', 'train[50%:]', 'train[1:]'):
    assert set(ids[choose(expression, ids)]) == set(
      shuffled[choose(expression, shuffled)]
    )


@pytest.mark.parametrize('expression', ['t', 't[:]', 't[0:100]', 't[0%:100%]'])
def test_the_whole_split_in_the_source_order(expression):
  assert choose(expression, make_ids(100)) == list(range(100))


def test_the_chosen_keep_the_source_order():
  chosen = choose('train[20%:70%]', make_ids(100))
  assert chosen == sorted(chosen)
  assert len(chosen) == 50


def test_a_slice_of_a_sorted_folder_holds_all_classes():
  # 10 classes of 100, sorted: 200 chosen at random hold 20 +- 3.8 of each
  # (hypergeometric), where a contiguous slice would hold two classes.
  ids = np.array([f'train/{c}/{i}' for c in range(10) for i in range(100)])
  counts = np.bincount(np.array(choose('train[:20%]', ids)) // 100)
  assert len(counts) == 10
  assert counts.min() >= 20 - 4 * 3.8
  assert counts.max() <= 20 + 4 * 3.8


@pytest.mark.parametrize(
  ('expression', 'count'),
  [('t[5:5]', 9), ('t[6:3]', 9), ('t[:0]', 9), ('t[:10%]', 3), ('t', 0)],
)
def test_an_empty_slice_is_an_error(expression, count):
  with pytest.raises(errors.UsageError, match=f'of {count} examples'):
    choose(expression, make_ids(count))


@pytest.mark.parametrize('expression', ['t[:11]', 't[11:]', 't[:101%]'])
def test_a_position_beyond_the_examples_is_an_error(expression):
  with pytest.raises(errors.UsageError, match=r'must lie in 0\.\.10'):
    choose(expression, make_ids(10))

"""Everything once, nothing before what it needs, whoever asks when."""

import random

import pytest

from overlap.distributed import jobs

CHAIN = {'a': [], 'b': ['a'], 'c': ['b'], 'd': [], 'e': ['a', 'd']}


def test_a_job_waits_for_what_it_needs():
  board = jobs.Board()
  needs = {'teacher': [], 'student': ['teacher'], 'other': []}
  assert board.next('train', needs, []) == 'teacher'
  assert board.next('train', needs, []) == 'other'
  assert board.next('train', needs, ['other']) == jobs.WAIT
  assert board.next('train', needs, ['teacher']) == 'student'
  assert board.next('train', needs, []) == jobs.WAIT
  assert board.next('train', needs, ['student']) is None
  # The other one learns it as well, and another stage begins anew.
  assert board.next('train', needs, []) is None
  assert board.next('predict', {'teacher': []}, []) == 'teacher'


def test_a_need_that_is_no_job_is_not_waited_for():
  assert jobs.Board().next('train', {'a': ['elsewhere']}, []) == 'a'


def test_nothing_to_do():
  assert jobs.Board().next('train', {}, []) is None


@pytest.mark.parametrize('groups', [1, 2, 3, 9])
@pytest.mark.parametrize('seed', range(5))
def test_any_number_of_groups_comes_to_an_end(groups, seed):
  board, rng = jobs.Board(), random.Random(seed)
  doing: dict[int, list[str]] = {group: [] for group in range(groups)}
  order: list[str] = []
  while doing:
    group = rng.choice(list(doing))
    order += doing[group]
    job = board.next('train', CHAIN, doing[group])
    if job is None:
      del doing[group]
    else:
      doing[group] = [job] if job else []
      assert set(order) >= set(CHAIN.get(job, []))
  assert sorted(order) == sorted(CHAIN)

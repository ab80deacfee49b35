"""Reading ahead keeps order and errors, and is one item ahead."""

import threading

import pytest

from overlap.analyses.prefetch import prefetch


@pytest.mark.parametrize('count', [0, 1, 2, 17])
def test_yields_the_items_in_order(count):
  assert list(prefetch(range(count))) == list(range(count))


def test_none_is_an_item():
  assert list(prefetch([None, 1, None])) == [None, 1, None]


def test_the_next_item_is_made_while_one_is_used():
  made = [threading.Event() for _ in range(4)]

  def items():
    for k, event in enumerate(made):
      event.set()
      yield k

  for k in prefetch(items()):
    if k + 1 < len(made):
      assert made[k + 1].wait(10)
    assert not any(event.is_set() for event in made[k + 2 :])


def test_an_error_comes_after_the_items_before_it():
  def items():
    yield 1
    raise ValueError('torn')

  got = prefetch(items())
  assert next(got) == 1
  with pytest.raises(ValueError, match='torn'):
    next(got)


def test_one_may_stop_early():
  for item in prefetch(iter(range(10**9))):
    if item == 3:
      break


def test_it_may_be_closed_by_its_own_thread():
  """As the garbage collector does where a loop has ended by an error."""
  errors = []
  stopped, closed = threading.Event(), threading.Event()

  def items():
    yield 0
    stopped.wait(10)
    try:
      got.close()
    except RuntimeError as e:  # It can't wait for itself.
      errors.append(e)
    closed.set()
    yield 1

  got = prefetch(items())
  assert next(got) == 0
  stopped.set()
  assert closed.wait(10)
  assert not errors

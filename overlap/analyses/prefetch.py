"""Prefetching: the next item is computed while the current one is used."""

import threading
from collections.abc import Iterable, Iterator
from concurrent import futures
from typing import TypeVar

_THREAD = 'ahead'

T = TypeVar('T')


def prefetch(items: Iterable[T]) -> Iterator[T]:
  """Yields `items`, each computed in a thread while the previous one is used.

  Two items are in memory at a time. An exception from computing an item is
  raised in its place.
  """
  iterator = iter(items)

  def make() -> tuple[T, ...]:
    for item in iterator:
      return (item,)
    return ()

  pool = futures.ThreadPoolExecutor(1, thread_name_prefix=_THREAD)
  try:
    making = pool.submit(make)
    while made := making.result():
      making = pool.submit(make)
      yield made[0]
  finally:
    # If the caller's loop ends by an error, the garbage collector closes this
    # generator in any thread, including the pool's own, which cannot wait for
    # itself.
    pool.shutdown(wait=not threading.current_thread().name.startswith(_THREAD))

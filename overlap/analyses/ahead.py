"""Reading ahead: the next item is made while the current one is used."""

import threading
from collections.abc import Iterable, Iterator
from concurrent import futures
from typing import TypeVar

_THREAD = 'ahead'

T = TypeVar('T')


def ahead(items: Iterable[T]) -> Iterator[T]:
  """Yields `items`, each made in a thread while the one before is used.

  Two items are in memory at a time. What making one raises is raised where it
  would have been yielded.
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
    # Where the loop over this ends by an error, the garbage collector closes
    # it, in any thread: in its own, which can't wait for itself, too.
    pool.shutdown(wait=not threading.current_thread().name.startswith(_THREAD))

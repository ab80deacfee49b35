"""Reading ahead: the next item is made while the current one is used."""

from collections.abc import Iterable, Iterator
from concurrent import futures
from typing import TypeVar

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

  with futures.ThreadPoolExecutor(1, thread_name_prefix='ahead') as pool:
    making = pool.submit(make)
    while made := making.result():
      making = pool.submit(make)
      yield made[0]

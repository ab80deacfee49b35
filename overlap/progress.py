"""Progress of what runs long: a bar on a terminal, a log line elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TextIO, TypeVar

import tqdm
from absl import logging

from overlap import plurals

T = TypeVar('T')
_LOG_EVERY_SECONDS = 60.0


def track(
  items: Iterable[T], *, total: int, what: str, unit: str, done: int = 0
) -> Iterator[T]:
  """Yields `items`, showing how far they are.

  The first item is in no rate and in no time left: programs are compiled
  during it, which can take as long as a thousand of those that follow.

  Args:
    items: what to go through.
    total: how many there will be, those already done counted.
    what: the text before the bar.
    unit: what one item is called ('step', 'batch').
    done: how many were done by an earlier run.
  """
  if sys.stderr.isatty():
    with tqdm.tqdm(
      total=total, initial=done, desc=what, unit=unit, leave=False
    ) as bar:
      yield from _drawn(items, bar)
    return
  start = last = time.monotonic()
  first = done + 1
  for count, item in enumerate(items, first):
    yield item
    now = time.monotonic()
    if count == first:
      start = now
    if now - last >= _LOG_EVERY_SECONDS and count < total:
      last = now
      logging.info(
        '%s: %d of %d %s%s', what, count, total, plurals.noun(total, unit),
        _pace(count - first, total - count, now - start),
      )  # fmt: skip


def _drawn(items: Iterable[T], bar: tqdm.tqdm) -> Iterator[T]:
  """Yields items, moving a bar on."""
  for place, item in enumerate(items):
    yield item
    if place:
      bar.update()
    else:  # As if an earlier run had done it.
      bar.n = bar.initial = bar.last_print_n = bar.n + 1
      bar.unpause()
      bar.refresh()


def _pace(done: int, left: int, seconds: float) -> str:
  """The rate and the time left, '' before anything tells of them."""
  if done < 1 or seconds <= 0:
    return ''
  rate = done / seconds
  return f', {rate:.3g} a second, {left / rate:.0f} s left'


class BesideBars:
  """A terminal to log to: bars go before a line, and come again after it."""

  def __init__(self, terminal: TextIO):
    """Takes the terminal that bars are drawn on."""
    self._terminal = terminal

  def write(self, text: str) -> int:
    """Writes text that is no part of a bar."""
    with tqdm.tqdm.external_write_mode(file=self._terminal):
      return self._terminal.write(text)

  def flush(self) -> None:
    """As the terminal's."""
    self._terminal.flush()

  def isatty(self) -> bool:
    """It is one."""
    return True

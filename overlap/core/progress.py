"""Progress of long loops: a bar on a terminal, log lines elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TextIO, TypeVar

import tqdm
from absl import logging

from overlap.core import wording

T = TypeVar('T')
_LOG_EVERY_SECONDS = 60.0


def track(
  items: Iterable[T], *, total: int, what: str, unit: str, done: int = 0
) -> Iterator[T]:
  """Yields `items` and shows the progress.

  The first item counts for neither the rate nor the time left: it includes
  compilation, which can take as long as a thousand of the following items.

  Args:
    items: items to iterate over.
    total: total number of items, including those already done.
    what: text before the bar.
    unit: name of one item ('step', 'batch').
    done: number of items done by an earlier run.
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
        '%s: %d of %d %s%s', what, count, total, wording.noun(total, unit),
        _pace(count - first, total - count, now - start),
      )  # fmt: skip


def _drawn(items: Iterable[T], bar: tqdm.tqdm) -> Iterator[T]:
  """Yields items and advances a bar."""
  for place, item in enumerate(items):
    yield item
    if place:
      bar.update()
    else:  # Count the first item as done by an earlier run.
      bar.n = bar.initial = bar.last_print_n = bar.n + 1
      bar.unpause()
      bar.refresh()


def _pace(done: int, left: int, seconds: float) -> str:
  """Returns the rate and the time left as text; '' before they are known."""
  if done < 1 or seconds <= 0:
    return ''
  rate = done / seconds
  return f', {rate:.3g} a second, {left / rate:.0f} s left'


class BesideBars:
  """Terminal for the log: hides bars while a line is written."""

  def __init__(self, terminal: TextIO):
    """Wraps the terminal that bars are drawn on."""
    self._terminal = terminal

  def write(self, text: str) -> int:
    """Writes text that is not part of a bar."""
    with tqdm.tqdm.external_write_mode(file=self._terminal):
      return self._terminal.write(text)

  def flush(self) -> None:
    """Flushes the terminal."""
    self._terminal.flush()

  def isatty(self) -> bool:
    """Returns True."""
    return True

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

  Args:
    items: what to go through.
    total: how many there will be, those already done counted.
    what: the text before the bar.
    unit: what one item is called ('step', 'batch').
    done: how many were done by an earlier run.
  """
  if sys.stderr.isatty():
    yield from tqdm.tqdm(
      items, total=total, initial=done, desc=what, unit=unit, leave=False
    )
    return
  start = last = time.monotonic()
  for count, item in enumerate(items, done + 1):
    yield item
    now = time.monotonic()
    if now - last >= _LOG_EVERY_SECONDS and count < total:
      last = now
      rate = (count - done) / (now - start)
      logging.info(
        '%s: %d of %d %s, %.3g a second, %.0f s left',
        what, count, total, plurals.noun(total, unit), rate,
        (total - count) / rate,
      )  # fmt: skip


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

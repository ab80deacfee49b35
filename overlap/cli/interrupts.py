"""Ctrl-C as KeyboardInterrupt that is never shown as a traceback."""

import _thread
import signal
import sys
import threading
from types import FrameType
from typing import Any, NoReturn

# How soon an interrupt that was swallowed comes again, in seconds.
_AGAIN_SECONDS = 0.1

_seen = False


def handle() -> None:
  """Raises KeyboardInterrupt at SIGINT, again where the first was swallowed."""
  before = sys.unraisablehook

  def unraisable(error: Any) -> None:
    if not issubclass(error.exc_type, KeyboardInterrupt):
      before(error)
      return
    # It came in a destructor or a callback of C code, and would be lost.
    timer = threading.Timer(_AGAIN_SECONDS, _thread.interrupt_main)
    timer.daemon = True
    timer.start()

  sys.unraisablehook = unraisable
  signal.signal(signal.SIGINT, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
  global _seen
  del number, frame
  _seen = True
  raise KeyboardInterrupt


def seen() -> bool:
  """Returns whether SIGINT came, which explains later failures."""
  return _seen

"""Standard streams that may be closed, full, or of few characters."""

import contextlib
import errno
import io
import os
import sys
from typing import Any, TextIO

# What a shell says of a process that SIGPIPE has ended.
_BROKEN_PIPE = 141


class _Output(io.FileIO):
  """A stream that remembers why it could not be written."""

  fault: OSError | None = None

  def write(self, data: Any) -> int:
    try:
      return super().write(data)
    except OSError as e:
      self.fault = e
      raise


_output: _Output | None = None


def prepare() -> None:
  """Opens closed streams, and has any text be written to all of them."""
  global _output
  for descriptor in range(3):
    try:
      os.fstat(descriptor)
    except OSError:
      # The lowest free one, so that no other file takes its place.
      os.open(os.devnull, os.O_RDWR)
  _output = _Output(1, 'w', closefd=False)
  sys.stdin = sys.stdin or _open(0, 'r')
  sys.stderr = sys.stderr or _open(2, 'w')
  sys.stdout = io.TextIOWrapper(
    io.BufferedWriter(_output),
    encoding=sys.stdout.encoding if sys.stdout else 'utf-8',
    line_buffering=os.isatty(1),
  )
  for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, io.TextIOWrapper):
      stream.reconfigure(errors='backslashreplace')


def _open(descriptor: int, mode: str) -> Any:
  return os.fdopen(descriptor, mode, encoding='utf-8', closefd=False)


def say(text: str) -> None:
  """Writes a line to stderr, where that can be written."""
  with contextlib.suppress(OSError):
    print(text, file=sys.stderr, flush=True)


def fault() -> OSError | None:
  """Why stdout could not be written; None where it could."""
  return _output.fault if _output else None


def finish(status: int) -> int:
  """Writes what is left, and drops what can't be.

  Args:
    status: exit status if stdout can be written.

  Returns:
    The exit status: of a closed pipe as of other programs, of any other fault
    1 at least.
  """
  told = fault() is not None
  for stream in (sys.stdout, sys.stderr):
    try:
      stream.flush()
    except OSError:
      _drop(stream)
  if (error := fault()) and not told:
    return report(error, status)
  return status


def report(error: OSError, status: int = 0) -> int:
  """Tells of a fault of stdout, and returns the exit status."""
  if error.errno == errno.EPIPE:
    return _BROKEN_PIPE  # Whoever read has enough.
  say(f'overlap: standard output must be writable, got: {error.strerror}.')
  return status or 1


def _drop(stream: TextIO) -> None:
  """Has Python not try again at its end, and tell."""
  with contextlib.suppress(OSError, ValueError):
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())

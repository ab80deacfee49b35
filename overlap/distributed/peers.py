"""Failure detection and job assignment among the processes of a run.

Each process holds a connection to process 0 while it works. If a connection
ends before its process has reported that it is done, all other processes end
at once with a line each: JAX would notice only after 100 seconds, and abort
with a stack trace. Over the same connections, groups of processes ask process
0 for their next job.

This module does not need JAX.
"""

import atexit
import contextlib
import json
import os
import queue
import secrets
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn, TextIO

from overlap.distributed import sockets
from overlap.distributed.jobs import Board, Jobs

# Timeout for connecting to process 0, for each of its addresses.
_CONNECT_SECONDS = 10.0
# Time for a process to fail by itself after a peer has failed: an error in the
# config occurs on all processes, and each reports it.
_GRACE_SECONDS = 1.0
# Time that process 0 waits for the others to end after telling them to.
_LAST_SECONDS = 5.0
# Time to wait, after an error of JAX that may be due to a lost process, for a
# report of that loss.
_EXPLAIN_SECONDS = 10.0


class _Peers:
  """This process's view of the processes of the run."""

  def __init__(self, index: int, count: int):
    self.index, self.count = index, count
    self.left = False

  def next(self, stage: str, jobs: Jobs, finished: Sequence[str]) -> str | None:
    raise NotImplementedError

  def leave(self, failure: str | None) -> None:
    raise NotImplementedError

  def lost(self, index: int, failure: str | None) -> NoReturn:
    """Ends this process because another one has ended."""
    if failure is not None:
      time.sleep(_GRACE_SECONDS)
    which = f'process {index} of {self.count}'
    said = 'and said nothing' if failure is None else f'and said: {failure}'
    _end(
      f'{which} ended before the work was done, {said}. This one ends too; '
      'the same command on all of them goes on from here.',
      1,
    )


class _First(_Peers):
  """Process 0, to which all others are connected."""

  def __init__(self, count: int, host: str):
    super().__init__(0, count)
    self.token = secrets.token_hex(16)
    self._board = Board()
    self._lines: dict[int, TextIO] = {}
    self._is_lost = False
    self._lock = threading.Condition()
    self._server = sockets.listen(host)
    self.port = self._server.getsockname()[1]
    _thread(self._accept)

  def wait(self) -> None:
    """Waits until all others are connected."""
    with self._lock:
      self._lock.wait_for(lambda: len(self._lines) == self.count - 1)

  def _accept(self) -> None:
    while True:
      connection, _ = self._server.accept()
      _thread(self._serve, connection)

  def _serve(self, connection: socket.socket) -> None:
    index, done, failure = -1, False, None
    with (
      contextlib.suppress(OSError, ValueError, KeyError, TypeError),
      connection,
      connection.makefile('rw', encoding='utf-8') as lines,
    ):
      sockets.keep_alive(connection)
      for text in lines:
        message = json.loads(text)
        if index < 0:
          # Anybody may connect; ignore those without the token.
          if not secrets.compare_digest(message['token'], self.token):
            break
          index = message['process']
          with self._lock:
            self._lines[index] = lines
            self._lock.notify_all()
          self._send(lines, {'welcome': True})
        elif 'next' in message:
          self._send(lines, {'job': self._board.next(*message['next'])})
        elif 'leave' in message:
          done, failure = message['leave'] is None, message['leave']
          break
    if index >= 0:
      with self._lock:
        del self._lines[index]
        self._lock.notify_all()
        # Processes that end as a consequence are not reported.
        first = not (done or self._is_lost)
        self._is_lost |= first
      if first:
        self._tell(index, failure)
        self.lost(index, failure)

  def _send(self, lines: TextIO, message: Mapping[str, Any]) -> None:
    with self._lock:
      _write(lines, message)

  def _tell(self, index: int, failure: str | None) -> None:
    """Tells all others that a process has ended."""
    with self._lock:
      for lines in self._lines.values():
        with contextlib.suppress(OSError, ValueError):
          _write(lines, {'lost': index, 'failure': failure})

  def next(self, stage: str, jobs: Jobs, finished: Sequence[str]) -> str | None:
    return self._board.next(stage, jobs, finished)

  def leave(self, failure: str | None) -> None:
    if failure is not None:
      self._tell(0, failure)
    # Its end would look like a failure to processes still at work.
    self._wait_for_others(None if failure is None else _LAST_SECONDS)

  def lost(self, index: int, failure: str | None) -> NoReturn:
    # Process 0 ends last: JAX aborts processes that outlive it.
    self._wait_for_others(_LAST_SECONDS)
    super().lost(index, failure)

  def _wait_for_others(self, seconds: float | None) -> None:
    with self._lock:
      self._lock.wait_for(lambda: not self._lines, seconds)


class _Other(_Peers):
  """Process other than 0, connected to process 0."""

  def __init__(
    self, index: int, count: int, connection: socket.socket, token: str
  ):
    super().__init__(index, count)
    self._lines = connection.makefile('rw', encoding='utf-8')
    self._answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    _write(self._lines, {'token': token, 'process': index})
    if not self._lines.readline():
      raise OSError('it does not know this run')
    connection.settimeout(None)
    sockets.keep_alive(connection)
    _thread(self._listen)

  def _listen(self) -> None:
    with contextlib.suppress(OSError, ValueError):
      for text in self._lines:
        message = json.loads(text)
        if 'lost' in message:
          self.lost(message['lost'], message['failure'])
        else:
          self._answers.put(message)
    if not self.left:
      self.lost(0, None)

  def next(self, stage: str, jobs: Jobs, finished: Sequence[str]) -> str | None:
    _write(self._lines, {'next': [stage, jobs, finished]})
    return self._answers.get()['job']

  def leave(self, failure: str | None) -> None:
    with contextlib.suppress(OSError, ValueError):
      _write(self._lines, {'leave': failure})


_peers: _Peers | None = None
_ending = threading.Lock()


def meet(
  index: int, count: int, share: Callable[[bytes], bytes], host: str = ''
) -> None:
  """Connects this process with the others; each process calls it once.

  A process that can't reach process 0 ends with an error line.

  Args:
    index: index of this process.
    count: number of processes.
    share: broadcast from process 0: returns its argument on all processes.
    host: host of process 0; '' if unknown.
  """
  global _peers
  atexit.register(leave)
  if index == 0:
    first = _First(count, host)
    told = {
      'hosts': sockets.own_hosts(host),
      'port': first.port,
      'token': first.token,
    }
    share(json.dumps(told).encode())
    first.wait()
    _peers = first
    return
  told = json.loads(share(b''))
  faults = []
  for address in told['hosts']:
    try:
      connection = socket.create_connection(
        (address, told['port']), _CONNECT_SECONDS
      )
      _peers = _Other(index, count, connection, told['token'])
      return
    except OSError as e:
      faults.append(f'{address}: {e.strerror or e}')
  _end(
    f'process {index} must reach process 0 at port {told["port"]}, and does '
    f'not ({"; ".join(faults)}): let the hosts of a run connect to each other.',
    1,
  )


def next_job(stage: str, jobs: Jobs, finished: Sequence[str]) -> str | None:
  """Returns the next job (`jobs.Board.next`). Called by one of each group."""
  assert _peers is not None
  return _peers.next(stage, jobs, finished)


def leave() -> None:
  """Marks this process as finished, so that its exit is not a failure."""
  if _peers is not None:
    _peers.left = True
    _peers.leave(None)


def fail(text: str, status: int) -> None:
  """Ends this process and the others with the same message.

  Returns if there are no others.
  """
  if _peers is not None:
    _peers.left = True
    _peers.leave(text)
    # Exit at once: a normal exit of JAX waits for the others.
    _exit(status)


def explain(error: BaseException) -> None:
  """Ends this process after an error that may be due to a lost peer.

  Waits for a report of the loss, which ends the process with that message;
  without one, shows the error and ends all processes. Returns if there are no
  others.
  """
  if _peers is not None:
    time.sleep(_EXPLAIN_SECONDS)
    traceback.print_exception(error)
    fail(f'{type(error).__name__}: {error}'.split('\n')[0], 1)


@contextlib.contextmanager
def deadline(seconds: float, text: str) -> Iterator[None]:
  """Ends this process with a message if the block takes too long."""
  timer = threading.Timer(seconds, _end, (text, 1))
  timer.daemon = True
  timer.start()
  try:
    yield
  finally:
    timer.cancel()


def _end(text: str, status: int) -> NoReturn:
  # If several processes are lost at once, only the first is reported.
  _ending.acquire()
  # A progress bar may be on the terminal's last line.
  start = '\r\x1b[K' if sys.stderr.isatty() else ''
  print(f'{start}overlap: {text}', file=sys.stderr)
  _exit(status)


def _exit(status: int) -> NoReturn:
  for stream in (sys.stdout, sys.stderr):
    with contextlib.suppress(OSError, ValueError):
      stream.flush()
  os._exit(status)


def _write(lines: TextIO, message: Mapping[str, Any]) -> None:
  lines.write(json.dumps(message) + '\n')
  lines.flush()


def _thread(target: Callable[..., Any], *args: Any) -> None:
  threading.Thread(target=target, args=args, daemon=True).start()

"""Locks on parts of a workdir, so that no two runs make the same results.

A run locks names by a file of its own, `claims/NAME.json`, which it removes at
the end. It writes the file first and then looks for those of other runs: of two
runs that lock the same name at once, at least one sees the other and withdraws.
This needs no locks of the file system, which NFS and Cloud Storage may lack.

A lock is stale if its process has ended. On the same machine the system is
asked; on other machines a process must touch its file every few seconds as a
heartbeat. After a minute without one, measured by the waiting process's clock,
the lock is taken over; a process that wakes up after that notices and stops.
"""

import _thread
import contextlib
import datetime
import hashlib
import json
import os
import random
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from typing import Any

from absl import logging
from etils import epath

from overlap.core import errors, files

FOLDER = 'claims'
_BEAT_SECONDS = 10.0
_SILENT_SECONDS = 60.0
_TELL_SECONDS = 300.0
_HELD, _WAITING, _FAILED = range(3)
_STOP = signal.SIGUSR2


@contextlib.contextmanager
def workdir_lock(
  workdir: epath.PathLike,
  names: Collection[str],
  *,
  wait: bool = True,
  primary: bool = True,
  agree: Callable[[int], int] = int,
) -> Iterator[None]:
  """Context manager that holds locks, so that no other run makes the same.

  Args:
    workdir: local folder or gs:// path; created if absent.
    names: names of the locked results, such as 'model/vit' or 'tables'.
    wait: whether to wait for another run's locks; False raises an error.
    primary: whether this process takes the locks for its whole run.
    agree: function that gives all processes of the run the primary's number.

  Raises:
    DataError: another run holds a lock and `wait` is false; the workdir can't
      be written; or another run took over the locks.
  """
  claim = Claim(workdir, names) if primary else None
  try:
    _acquire(claim, wait, agree)
    with _interruptible():
      yield
  except KeyboardInterrupt:
    if claim and claim.lost:
      raise errors.DataError(
        f'{workdir} must be worked on by one run, and was taken over by '
        f'{claim.lost} while this one was silent: start again when that has '
        'ended.'
      ) from None
    raise
  finally:
    if claim:
      claim.release()


def _acquire(
  claim: 'Claim | None', wait: bool, agree: Callable[[int], int]
) -> None:
  told, last = '', 0.0
  while True:
    state, holder, fault = _HELD, '', None
    if claim:
      try:
        holder = claim.attempt()
      except errors.DataError as e:
        state, fault = _FAILED, e
    if holder:
      state = _WAITING if wait else _FAILED
    state = agree(state)
    if state == _HELD:
      return
    if state == _FAILED:
      raise fault or errors.DataError(
        f'{claim.workdir} is being worked on by {holder}: wait for it, or end '
        'it.'
        if claim
        else 'The workdir can not be had: see what process 0 says.'
      )
    if holder and (holder != told or time.monotonic() - last > _TELL_SECONDS):
      logging.info('waiting for %s', holder)
      told, last = holder, time.monotonic()
    time.sleep(random.uniform(0.1, 0.5))


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
  """Makes `_STOP` raise KeyboardInterrupt if this is the main thread.

  SIGINT is not suitable: background jobs of a shell ignore it.
  """

  def stop(*_: Any) -> None:
    raise KeyboardInterrupt

  if threading.current_thread() is not threading.main_thread():
    yield
    return
  before = signal.signal(_STOP, stop)
  try:
    yield
  finally:
    signal.signal(_STOP, before)


def only_one(workdir: epath.PathLike) -> epath.Path | None:
  """Returns the only lock file of a local workdir; None if not exactly one.

  A run that holds a lock learns from it whether other runs are at work.
  """
  if '://' in os.fspath(workdir):
    return None
  files = list((epath.Path(workdir) / FOLDER).glob('*.json'))
  return files[0] if len(files) == 1 else None


class Claim:
  """Lock of one run on its results.

  Attributes:
    workdir: folder of the study.
    lost: process that took over the lock after missing heartbeats; '' for none.
  """

  def __init__(self, workdir: epath.PathLike, names: Collection[str]):
    """Prepares the lock without taking it."""
    self.workdir = epath.Path(workdir)
    self.lost = ''
    self._folder = self.workdir / FOLDER
    self._said = {
      'names': sorted(names),
      'host': socket.gethostname(),
      'process': os.getpid(),
      'since': datetime.datetime.now(datetime.UTC).isoformat(
        timespec='seconds'
      ),
      'command': ' '.join(sys.argv[1:2]),
    }
    where = f'{_place()}-{os.getpid()}-{_began()}'
    self._file = self._folder / f'{where}-{uuid.uuid4().hex[:8]}.json'
    self._others = _Others(self._folder, self._file.name, set(names))
    self._made_workdir = False
    self._end = threading.Event()
    self._thread: threading.Thread | None = None

  def attempt(self) -> str:
    """Takes the lock if it is free; else returns a description of its holder.

    Raises:
      DataError: the workdir can't be written.
    """
    if holder := self._others.holder():
      return holder
    self._write()
    # Look again, as another may have looked before this file was there.
    if holder := self._others.holder():
      self._withdraw()
      return holder
    self._thread = threading.Thread(target=self._beat, daemon=True)
    self._thread.start()
    return ''

  def release(self) -> None:
    """Releases the lock; the last one removes the folder."""
    self._end.set()
    if self._thread:
      self._thread.join()
    self._withdraw()

  def _write(self) -> None:
    self._made_workdir |= not self.workdir.exists()
    with files.writable(self.workdir):
      try:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps(self._said, indent=2) + '\n')
      except OSError:
        self._withdraw()
        raise

  def _withdraw(self) -> None:
    with contextlib.suppress(OSError):
      self._file.unlink(missing_ok=True)
    # Other locks may be in the folder; etils raises ValueError for that.
    with contextlib.suppress(OSError, ValueError):
      self._folder.rmdir()
      if self._made_workdir:
        self.workdir.rmdir()  # Only if empty.

  def _beat(self) -> None:
    while not self._end.wait(_BEAT_SECONDS):
      try:
        if self._file.exists():
          self._touch()
          continue
        # Heartbeats were missing for too long, or the file was removed.
        self._write()
        self.lost = self._others.holder()
      except (OSError, errors.DataError) as e:
        logging.warning('%s can not be kept up: %s', self._file, e)
      if self.lost:
        self._withdraw()
        _thread.interrupt_main(_STOP)
        return

  def _touch(self) -> None:
    if '://' in os.fspath(self._file):
      self._file.write_text(json.dumps(self._said, indent=2) + '\n')
    else:
      os.utime(self._file)  # Works where no space is left, too.


class _Others:
  """Locks of other runs, and when each was last seen to change."""

  def __init__(self, folder: epath.Path, own: str, names: set[str]):
    self._folder, self._own, self._names = folder, own, names
    self._seen: dict[str, tuple[Any, float]] = {}

  def holder(self) -> str:
    """Returns the live process that holds one of the names; '' for none."""
    for file in self._files():
      if file.name == self._own:
        continue
      try:
        text = file.read_text()
        sign = text, _mtime(file)
      except OSError:
        continue  # The run ended meanwhile.
      if not self._is_alive(file.name, sign):
        logging.info('taking over from %s, which has ended', _who(text))
        file.unlink(missing_ok=True)
      elif self._names & _names(text, self._names):
        return _who(text)
    return ''

  def _files(self) -> list[epath.Path]:
    try:
      return [f for f in self._folder.iterdir() if f.suffix == '.json']
    except OSError:
      return []

  def _is_alive(self, name: str, sign: Any) -> bool:
    place, process, began, *_ = [*name.split('-'), '', '', '']
    if place == _place() and process.isdigit():
      return _runs(int(process), began)
    now = time.monotonic()
    before, since = self._seen.get(name, (None, now))
    if before != sign:
      since = now
    self._seen[name] = sign, since
    return now - since < _SILENT_SECONDS


def _mtime(file: epath.Path) -> float:
  if '://' in os.fspath(file):
    return file.stat().mtime
  return os.stat(file).st_mtime  # etils rounds it to seconds.


def _said(text: str) -> dict[str, Any]:
  try:
    said = json.loads(text)
  except ValueError:  # Still being written.
    return {}
  return said if isinstance(said, dict) else {}


def _names(text: str, default: set[str]) -> set[str]:
  return set(_said(text).get('names', default))


def _who(text: str) -> str:
  said = _said(text)
  if not said:
    return 'a process that has just begun'
  command = f' (overlap {said["command"]})' if said.get('command') else ''
  return (
    f'process {said.get("process")} on {said.get("host")} since '
    f'{said.get("since")}{command}'
  )


def _place() -> str:
  """Identifies this machine since its boot, and this container on it."""
  parts = [socket.gethostname()]
  with contextlib.suppress(OSError):
    with open('/proc/sys/kernel/random/boot_id') as f:
      parts.append(f.read())
    parts.append(os.readlink('/proc/self/ns/pid'))
  return hashlib.sha256('|'.join(parts).encode()).hexdigest()[:12]


def _stat(process: int) -> tuple[bytes, str]:
  """Returns the state and start time of a process of this machine.

  Raises:
    OSError: the process has ended or is another user's, or there is no /proc.
  """
  with open(f'/proc/{process}/stat', 'rb') as f:
    # The preceding name may contain anything, even brackets.
    fields = f.read().rpartition(b')')[2].split()
  return fields[0], fields[19].decode()


def _began() -> str:
  """Returns the start time of this process; '' if unknown."""
  try:
    return _stat(os.getpid())[1]
  except OSError:
    return ''


def _runs(process: int, began: str) -> bool:
  """Returns whether the process of this id and start time still runs."""
  try:
    state, then = _stat(process)
    # Process ids are reused, so compare the start time.
    return state not in (b'Z', b'X') and then == began
  except OSError:
    pass
  try:
    os.kill(process, 0)
  except ProcessLookupError:
    return False
  except PermissionError:
    pass  # Another user's process.
  return True

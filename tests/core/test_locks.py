"""One run at a time makes a thing; a dead one hinders nobody."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

import pytest

from overlap.core import errors, locks

ROOT = pathlib.Path(__file__).resolve().parents[2]

HOLD = """
import sys, time
from overlap.core import locks
with locks.workdir_lock(sys.argv[1], sys.argv[2].split(','), wait=False):
  print('held', flush=True)
  sys.stdin.readline()
"""


@contextlib.contextmanager
def another(workdir, *names):
  """Another process that holds a claim, until it is told or killed."""
  process = subprocess.Popen(
    [sys.executable, '-c', HOLD, workdir, ','.join(names)],
    cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
  )  # fmt: skip
  try:
    assert process.stdout.readline() == 'held\n'
    yield process
  finally:
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def held(workdir, *names, **options):
  return locks.workdir_lock(workdir, names, **{'wait': False} | options)


def files(workdir):
  folder = workdir / locks.FOLDER
  return sorted(folder.iterdir()) if folder.exists() else []


def pretend(workdir, *names, **said):
  """A claim of a process on another machine."""
  folder = workdir / locks.FOLDER
  folder.mkdir(parents=True, exist_ok=True)
  file = folder / 'elsewhere-7-123-abc.json'
  given = {'names': names, 'host': 'far', 'process': 7, 'since': '2026-01-01'}
  file.write_text(json.dumps(given | said))
  return file


@pytest.mark.parametrize('there', [True, False])
def test_it_leaves_nothing_behind(tmp_path, there):
  workdir = tmp_path / 'w'
  if there:
    workdir.mkdir()
  with held(workdir, 'tables'):
    assert len(files(workdir)) == 1
  assert workdir.exists() == there


def test_what_is_made_stays_where_it_raises(tmp_path):
  workdir = tmp_path / 'w'

  def fail():
    with held(workdir, 'tables'):
      (workdir / 'made').touch()
      raise KeyError

  with pytest.raises(KeyError):
    fail()
  assert os.listdir(workdir) == ['made']


def test_who_holds_it_is_said(tmp_path):
  with another(tmp_path, 'model/a', 'model/b') as process:
    said = rf'process {process.pid} on \S+ since 20\S+'
    with (
      pytest.raises(errors.DataError, match=said) as e,
      held(tmp_path, 'model/b', 'tables'),
    ):
      pass
    assert '\n' not in str(e.value)
    assert str(tmp_path) in str(e.value)
    # What is not its.
    with held(tmp_path, 'model/c'), held(tmp_path, 'tables'):
      assert len(files(tmp_path)) == 3
    assert len(files(tmp_path)) == 1


def test_a_killed_one_is_taken_over_at_once(tmp_path):
  with another(tmp_path, 'tables') as process:
    process.kill()
    # It has ended, and stays in the table of processes.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    with held(tmp_path, 'tables'):
      assert len(files(tmp_path)) == 1
  assert os.listdir(tmp_path) == []


def test_another_process_of_the_same_number_is_not_mistaken(tmp_path):
  with held(tmp_path, 'tables'):
    (file,) = files(tmp_path)
    place, process, started, *rest = file.name.split('-')
  older = '-'.join([place, process, str(int(started) - 1), *rest])
  (tmp_path / locks.FOLDER).mkdir()
  (tmp_path / locks.FOLDER / older).write_text('')
  with held(tmp_path, 'tables'):
    pass
  assert os.listdir(tmp_path) == []


def test_without_proc_the_system_is_asked(tmp_path, monkeypatch):
  def absent(_):
    raise FileNotFoundError

  monkeypatch.setattr(locks, '_stat', absent)
  with another(tmp_path, 'tables') as process:
    (file,) = files(tmp_path)
    mine = file.with_name('-'.join([locks._place(), *file.name.split('-')[1:]]))
    file.rename(mine)
    with pytest.raises(errors.DataError, match='being worked on'):
      held(tmp_path, 'tables').__enter__()
    process.kill()
    process.wait()
    with held(tmp_path, 'tables'):
      assert not mine.exists()


def test_it_waits_until_the_other_has_ended(tmp_path):
  with another(tmp_path, 'tables') as process:
    began = time.monotonic()
    threading.Timer(0.7, process.kill).start()
    with held(tmp_path, 'tables', wait=True):
      assert time.monotonic() - began > 0.6
      assert len(files(tmp_path)) == 1


def test_one_elsewhere_lives_as_long_as_it_is_heard(tmp_path, monkeypatch):
  monkeypatch.setattr(locks, '_SILENT_SECONDS', 1.0)
  file = pretend(tmp_path, 'tables')
  with (
    pytest.raises(errors.DataError, match='process 7 on far since 2026-01-01'),
    held(tmp_path, 'tables'),
  ):
    pass
  beats = [threading.Timer(0.4 * i, os.utime, [file]) for i in range(1, 5)]
  began = time.monotonic()
  for beat in beats:
    beat.start()
  with held(tmp_path, 'tables', wait=True):
    assert not file.exists()
    assert 2.5 < time.monotonic() - began < 20


def test_a_claim_that_says_nothing_yet_is_one_on_all(tmp_path):
  pretend(tmp_path, 'other').write_text('{"names": ["oth')
  with (
    pytest.raises(errors.DataError, match='has just begun'),
    held(tmp_path, 'tables'),
  ):
    pass


def test_its_file_is_touched_and_put_back(tmp_path, monkeypatch):
  monkeypatch.setattr(locks, '_BEAT_SECONDS', 0.02)
  with held(tmp_path, 'tables'):
    (file,) = files(tmp_path)
    os.utime(file, (0, 0))
    limit = time.monotonic() + 20
    while not file.stat().st_mtime:
      assert time.monotonic() < limit
      time.sleep(0.01)
    file.unlink()
    while not file.exists():
      assert time.monotonic() < limit
      time.sleep(0.01)


def test_who_was_taken_over_while_asleep_stops(tmp_path, monkeypatch):
  monkeypatch.setattr(locks, '_BEAT_SECONDS', 0.05)

  def sleep():
    with held(tmp_path, 'tables'):
      (file,) = files(tmp_path)
      pretend(tmp_path, 'tables')
      file.unlink()
      for _ in range(2000):
        time.sleep(0.01)

  with pytest.raises(errors.DataError, match='taken over by process 7 on far'):
    sleep()
  assert len(files(tmp_path)) == 1  # The other's.


def test_of_many_at_once_one_holds_at_a_time(tmp_path):
  inside, most, done = [], [], []

  def work(index):
    with held(tmp_path, 'tables', wait=True):
      inside.append(index)
      most.append(len(inside))
      time.sleep(0.02)
      inside.remove(index)
      done.append(index)

  threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join(60)
  assert sorted(done) == [0, 1, 2, 3]
  assert set(most) == {1}
  assert os.listdir(tmp_path) == []


@pytest.mark.parametrize('wait', [True, False])
def test_further_processes_do_as_the_primary_does(tmp_path, wait):
  states = iter([1, 1, 0])
  with locks.workdir_lock(
    tmp_path, ['tables'], primary=False, agree=lambda _: next(states)
  ):
    assert files(tmp_path) == []
  with (
    pytest.raises(errors.DataError, match='process 0'),
    locks.workdir_lock(
      tmp_path, ['x'], wait=wait, primary=False, agree=lambda _: 2
    ),
  ):
    pass


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
  (tmp_path / 'file').write_text('')
  with (
    pytest.raises(errors.DataError, match='must be writable, got'),
    held(tmp_path / 'file', 'tables'),
  ):
    pass

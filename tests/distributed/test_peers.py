"""Processes that end, one way or another, and what the others make of it."""

import pathlib
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# What process 0 tells goes by a file, in place of JAX's exchange.
RUN = """
import os, pathlib, signal, sys, time
from overlap.distributed import peers

index, count, file = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]

def share(content):
  path = pathlib.Path(file)
  if index == 0:
    path.with_suffix('.new').write_bytes(content)
    path.with_suffix('.new').rename(path)
  while not path.exists():
    time.sleep(0.01)
  return path.read_bytes()

peers.meet(index, count, share, '127.0.0.1')
print('met', flush=True)
sys.stdin.readline()  # Until all have.
"""
KILLED = 'os.kill(os.getpid(), signal.SIGKILL)'
WAITS = 'time.sleep(60)'
RAISES = """
try:
  raise ValueError('connection reset')
except ValueError as error:
  peers._EXPLAIN_SECONDS = 20
  peers.explain(error)
"""


def run(tmp_path, *programs):
  """Runs a program in each process; gives each's status and last words."""
  file = tmp_path / 'told'
  count = len(programs)
  started = [
    subprocess.Popen(
      [sys.executable, '-c', RUN + program, str(index), str(count), file],
      cwd=ROOT,
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )
    for index, program in enumerate(programs)
  ]
  for process in started:
    assert process.stdout.readline() == 'met\n'
  began = time.monotonic()
  for process in started:
    process.stdin.write('\n')
    process.stdin.flush()
  said = [process.communicate(timeout=30) for process in started]
  assert time.monotonic() - began < 15
  return [
    (process.returncode, (out + err).strip())
    for process, (out, err) in zip(started, said)
  ]


def test_all_have_done_their_work(tmp_path):
  # The first to be done does not end the others.
  slow = 'time.sleep(1); print("done"); peers.leave()'
  assert run(tmp_path, 'peers.leave()', slow, slow) == [
    (0, ''), (0, 'done'), (0, 'done'),
  ]  # fmt: skip


@pytest.mark.parametrize('index', range(3))
def test_a_killed_process_ends_the_others(tmp_path, index):
  programs = [WAITS, WAITS, RAISES]
  programs[index] = KILLED
  found = run(tmp_path, *programs)
  assert found.pop(index) == (-9, '')
  expected = (
    f'overlap: process {index} of 3 ended before the work was done, and said '
    'nothing. This one ends too; the same command on all of them goes on from '
    'here.'
  )
  assert found == [(1, expected)] * 2


def test_a_failure_is_told_to_the_others(tmp_path):
  fails = 'peers.fail("The disk is full.", 1)'
  found = run(tmp_path, WAITS, fails, WAITS)
  assert found.pop(1) == (1, '')
  for status, text in found:
    assert status == 1
    assert 'process 1 of 3' in text
    assert 'said: The disk is full.' in text
    assert len(text.splitlines()) == 1


def test_what_all_find_wrong_each_says_itself(tmp_path):
  fails = 'print("no such field"); peers.fail("no such field", 2)'
  assert run(tmp_path, fails, fails, fails) == [(2, 'no such field')] * 3


def test_an_error_of_our_own_is_shown(tmp_path):
  raises = RAISES.replace('20', '0')
  found = run(tmp_path, WAITS, raises)
  assert found[0][0] == found[1][0] == 1
  assert 'said: ValueError: connection reset' in found[0][1]
  assert 'Traceback' in found[1][1]


def test_jobs_are_shared_out(tmp_path):
  program = """
jobs, mine = {str(i): [str(i - 1)] if i % 2 else [] for i in range(20)}, []
done = []
while (job := peers.next_job('train', jobs, done)) is not None:
  done = [job] if job else []
  mine += done
  time.sleep(0.01)
print(*mine)
peers.leave()
"""
  found = run(tmp_path, program, program, program)
  assert [status for status, _ in found] == [0] * 3
  given = sorted(int(job) for _, text in found for job in text.split())
  assert given == list(range(20))


def test_strangers_are_not_listened_to(tmp_path):
  program = """
import json, socket
told = json.loads(share(b''))
for text in (b'', b'x\\n', b'{}\\n', b'{"token": "", "process": 1}\\n'):
  with socket.create_connection(('127.0.0.1', told['port'])) as stranger:
    stranger.sendall(text)
    stranger.shutdown(socket.SHUT_WR)
    assert stranger.recv(100) == b''
peers.leave()
"""
  assert run(tmp_path, 'time.sleep(1); peers.leave()', program) == [
    (0, ''), (0, ''),
  ]  # fmt: skip


def test_who_waits_too_long_ends_with_a_line(tmp_path):
  program = """
with peers.deadline(0.2, 'not all have come.'):
  time.sleep(20)
"""
  assert run(tmp_path, program) == [(1, 'overlap: not all have come.')]
  in_time = program.replace('20', '0') + 'time.sleep(0.5); peers.leave()'
  (tmp_path / 'told').unlink()
  assert run(tmp_path, in_time) == [(0, '')]

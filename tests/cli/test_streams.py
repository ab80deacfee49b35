"""Streams that are closed, full or of few characters; Ctrl-C; processes."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

import overlap
from overlap.cli import main as cli

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Prints more than a buffer holds, or waits until it is interrupted.
COMMAND = """
import sys, time
sys.argv = ['overlap', 'models']
import overlap.cli.models as models
from overlap.__main__ import main

def run(values):
  del values
  {body}

models.run = run
raise SystemExit(main())
"""


def start(body, **options):
  # A job in a shell's background has SIGINT ignored, and hands that on.
  before = signal.signal(signal.SIGINT, signal.SIG_DFL)
  try:
    return subprocess.Popen(
      [sys.executable, '-c', COMMAND.format(body=body)],
      cwd=ROOT, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip
  finally:
    signal.signal(signal.SIGINT, before)


def finish(process):
  said = process.communicate(timeout=300)[1]
  assert 'Traceback' not in said
  assert 'Exception ignored' not in said
  return process.returncode, said


@pytest.mark.parametrize('length', [10, 10**7])
def test_a_reader_that_has_enough(length):
  read, write = os.pipe()
  os.close(read)
  process = start(f'print("é" * {length})', stdout=write)
  os.close(write)
  assert finish(process) == (141, '')


@pytest.mark.parametrize('length', [10, 10**7])
def test_a_full_disk(length):
  with open('/dev/full', 'w') as full:
    status, said = finish(start(f'print("x" * {length})', stdout=full))
  assert status == 1
  assert said == (
    'overlap: standard output must be writable, got: No space left on device.\n'
  )


def test_characters_that_a_terminal_has_not():
  environment = os.environ | {'PYTHONIOENCODING': 'ascii:strict'}
  process = start('print("é 模")', stdout=subprocess.PIPE, env=environment)
  out, said = process.communicate(timeout=300)
  assert (process.returncode, out, said) == (0, '\\xe9 \\u6a21\n', '')


def test_closed_streams():
  closed = 'exec "$0" -m overlap stdy <&- >&- 2>&-'
  done = subprocess.run(
    ['sh', '-c', closed, sys.executable], cwd=ROOT, timeout=300, check=False
  )
  assert done.returncode == 2


def test_ctrl_c_while_something_is_imported():
  # As NumPy's import does with whatever is raised within.
  body = """
  print('here', flush=True)
  try:
    time.sleep(60)
  except BaseException as e:
    raise ImportError('numpy must be there') from e
"""
  process = start(body.strip(), stdout=subprocess.PIPE)
  assert process.stdout.readline() == 'here\n'
  process.send_signal(signal.SIGINT)
  status, said = finish(process)
  assert status == 130
  assert said == 'overlap: interrupted; the same command goes on from here.\n'


def test_ctrl_c_that_a_destructor_swallows():
  body = """
  class Slow:
    def __del__(self):
      print('here', flush=True)
      time.sleep(1)
  Slow()
  time.sleep(60)
"""
  process = start(body.strip(), stdout=subprocess.PIPE)
  assert process.stdout.readline() == 'here\n'
  process.send_signal(signal.SIGINT)
  status, said = finish(process)
  assert (status, said.count('\n')) == (130, 1)


def test_version(capsys):
  assert cli.main(['--version']) == 0
  assert capsys.readouterr().out == f'overlap {overlap.__version__}\n'

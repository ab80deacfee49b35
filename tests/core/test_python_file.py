"""Files that are run: what they return, and how their faults are told."""

import os
import py_compile
import sys

import pytest

from overlap.core import errors, python_file


@pytest.fixture
def write(tmp_path):
  def make(text, name='c.py'):
    (tmp_path / name).write_text(text)
    return str(tmp_path / name)

  return make


def test_what_the_function_returns(write):
  path = write('def f(arg="none"):\n  return arg * 2\n')
  assert python_file.call(path, 'f', '--x') == 'nonenone'
  assert python_file.call(f'{path}:a:b', 'f', '--x') == 'a:ba:b'


def test_two_files_of_one_name_share_nothing(write, tmp_path):
  one = write('def f():\n  return 1\n')
  (tmp_path / 'other').mkdir()
  two = write('x = 2\n', 'other/c.py')
  assert python_file.call(one, 'f', '--x') == 1
  with pytest.raises(errors.UsageError, match=r'must have f\(\), and has not'):
    python_file.call(two, 'f', '--x')


def test_a_file_that_changed_within_its_second_is_read_again(
  write, tmp_path, monkeypatch
):
  monkeypatch.setattr(sys, 'dont_write_bytecode', False)
  for seed in (1, 2):
    path = write(f'def f():\n  return {seed}\n')
    os.utime(path, (2e9, 2e9))
    assert python_file.call(path, 'f', '--x') == seed
  assert os.listdir(tmp_path) == ['c.py']


def test_what_another_kept_of_a_file_is_not_run(write, monkeypatch):
  monkeypatch.setattr(sys, 'dont_write_bytecode', False)
  path = write('def f():\n  return 1\n')
  os.utime(path, (2e9, 2e9))
  py_compile.compile(path, doraise=True)
  write('def f():\n  return 2\n')
  os.utime(path, (2e9, 2e9))
  assert python_file.call(path, 'f', '--x') == 2


def test_a_file_knows_where_it_is(write, tmp_path, monkeypatch):
  write('x = 3\n', 'b.py')
  write(
    'import pathlib\nfrom overlap.core import python_file\n'
    'b = python_file.load(pathlib.Path(__file__).with_name("b.py"))\n'
    'def f():\n  return b.x\n'
  )
  monkeypatch.chdir(tmp_path)
  assert python_file.call('c.py', 'f', '--x') == 3
  write('def f():\n  return 1 / 0\n')
  with pytest.raises(errors.UsageError, match=r'^c\.py must .* in line 2\.$'):
    python_file.call('c.py', 'f', '--x')


def test_our_own_errors_pass(write):
  path = write(
    'from overlap.core import errors\n'
    'def f():\n  raise errors.DataError("mine")\n'
  )
  with pytest.raises(errors.DataError, match=r'^mine$'):
    python_file.call(path, 'f', '--x')


@pytest.mark.parametrize(
  ('text', 'told'),
  [
    ('def f(:', 'SyntaxError: invalid syntax in line 1.'),
    (
      'def f():\n  return 1 / 0',
      'ZeroDivisionError: division by zero in line 2',
    ),
    ('def f():\n  raise ValueError', 'ValueError in line 2'),
    ('import sys\nsys.exit(3)', 'SystemExit: 3 in line 2'),
    ('def f():\n  return f()', 'RecursionError'),
    ('def f(a): pass', 'TypeError: f() missing'),
    ('raise RuntimeError("a\\nb\\x1b" + "x" * 999)', 'RuntimeError: a b x'),
  ],
)
def test_a_fault_is_one_line_with_its_place(write, text, told):
  path = write(text)
  with pytest.raises(errors.UsageError) as caught:
    python_file.call(path, 'f', '--x')
  said = str(caught.value)
  assert said.startswith(f'{path} must run, got ')
  assert told in said
  assert said.isprintable()
  assert len(said) < 500 + len(path)


@pytest.mark.parametrize('name', ['none.py', '', 'x.txt', '.'])
def test_no_file(write, tmp_path, name):
  write('', 'x.txt')
  with pytest.raises(errors.UsageError, match='--x must name a Python file'):
    python_file.call(str(tmp_path / name), 'f', '--x')


def test_a_file_that_is_misspelt(write, tmp_path):
  write('')
  for name in ('quickstart.py', 'quickstart.txt', 'cifar10.py'):
    (tmp_path / name).write_text('')
  near = f"Did you mean '{tmp_path}/quickstart.py'? "
  for name in ('quickstrt.py', 'quickstart', 'quikstart.py'):
    assert python_file.nearest(str(tmp_path / name)) == near
  # That all end alike is no likeness.
  for name in ('none.py', 'none/quickstart.py', 'a\0b.py', 'a\0b/c.py', ''):
    assert python_file.nearest(str(tmp_path / name)) == ''
  with pytest.raises(errors.UsageError, match=r'quickstart\.py'):
    python_file.call(str(tmp_path / 'quickstrt.py'), 'f', '--x')

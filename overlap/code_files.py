"""Python files that users write to be run: configs, sweeps, Scenic's configs.

This is the one place that runs a file: running it is what it is for. Whatever
it raises is one line.
"""

import importlib.machinery
import importlib.util
import os
import pathlib
import re
import traceback
from types import CodeType, ModuleType
from typing import Any

from overlap import errors, lookup

_LONGEST_TEXT = 300  # of what error texts repeat from a file's own faults


def call(path: str, function: str, flag: str) -> Any:
  """Calls a function of a Python file and returns its result.

  Args:
    path: FILE.py or FILE.py:ARGUMENT.
    function: its name; called with the argument where there is one.
    flag: flag with the path, for error texts.

  Raises:
    UsageError: there is no such file, no such function in it, or a fault; the
      text gives the line of the file.
  """
  name, _, arg = path.partition(':')
  file = pathlib.Path(name)
  if not (file.suffix == '.py' and file.is_file()):
    raise errors.UsageError(
      f'{flag} must name a Python file, got {name!r}, which is none. '
      f'{nearest(name)}'.rstrip()
    )
  try:
    module = load(file)
    if not callable(getattr(module, function, None)):
      raise errors.UsageError(f'{name} must have {function}(), and has not.')
    return getattr(module, function)(*([arg] if arg else []))
  except errors.OverlapError:
    raise
  # It is the user's own program, and may raise or exit as it likes.
  except (Exception, SystemExit) as e:
    raise errors.UsageError(
      f'{name} must run, got {said(e)}{_place(e, file)}.'
    ) from e


def load(path: str | os.PathLike[str]) -> ModuleType:
  """Runs a Python file; two calls give two modules.

  A config takes from another what it shares with it:

    base = code_files.load(pathlib.Path(__file__).with_name('base.py'))

  Raises:
    OSError: it can't be read.
    Exception: whatever it raises.
  """
  name = f'overlap_{pathlib.Path(path).stem}'
  loader = _Loader(name, os.path.abspath(path))
  spec = importlib.util.spec_from_loader(name, loader)
  assert spec
  module = importlib.util.module_from_spec(spec)
  loader.exec_module(module)
  return module


class _Loader(importlib.machinery.SourceFileLoader):
  """Python's own, but nothing compiled is kept beside the file, or read.

  Python tells a file from the one it compiled by its length and the second at
  which it was written: `seed = 1` that becomes `seed = 2` in less would be run
  as it was.
  """

  def get_code(self, fullname: str) -> CodeType:
    del fullname
    return self.source_to_code(self.get_data(self.path), self.path)


def nearest(path: str) -> str:
  """Asks for the Python files beside a path that is none; '' where none is."""
  file = pathlib.Path(path)
  try:
    beside = {str(f.stem): str(f) for f in file.parent.glob('*.py')}
  except (OSError, ValueError):
    return ''
  # By their stems: all end alike.
  close = lookup.close(file.stem, beside)
  return lookup.did_you_mean([beside[stem] for stem in close])


def said(error: BaseException) -> str:
  """An exception as one line: its class and the beginning of its text."""
  if isinstance(error, SyntaxError):
    text = error.msg
  else:
    text = str(error.args[0]) if error.args else ''
  text = ''.join(c if c.isprintable() else ' ' for c in text)
  text = re.sub(r'\s+', ' ', text).strip().rstrip('.')[:_LONGEST_TEXT]
  return f'{type(error).__name__}: {text}' if text else type(error).__name__


def _place(error: BaseException, file: pathlib.Path) -> str:
  """Returns the line where an error began, as ' in line 3', or ''."""
  if isinstance(error, SyntaxError):
    return f' in line {error.lineno}' if error.lineno else ''
  frames = traceback.walk_tb(error.__traceback__)
  name = os.path.abspath(file)
  lines = [n for frame, n in frames if frame.f_code.co_filename == name]
  return f' in line {lines[-1]}' if lines else ''

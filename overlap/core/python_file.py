"""Runs Python files that users write: configs, sweeps, Scenic's configs.

No other module runs user files. Whatever a file raises is reported as one line.
"""

import importlib.machinery
import importlib.util
import os
import pathlib
import re
import traceback
from types import CodeType, ModuleType
from typing import Any

from overlap.core import errors, lookup

_LONGEST_TEXT = 300  # Maximal characters of a file's own error in messages.


def call(path: str, function: str, flag: str) -> Any:
  """Calls a function of a Python file and returns its result.

  Args:
    path: FILE.py or FILE.py:ARGUMENT.
    function: name of the function; called with the argument if there is one.
    flag: name of the flag that gave the path, for error messages.

  Raises:
    UsageError: the file or function is missing, or raised an exception; the
      message gives the line of the file.
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
  # The user's own program may raise or exit as it likes.
  except (Exception, SystemExit) as e:
    raise errors.UsageError(
      f'{name} must run, got {format_exception(e)}{_place(e, file)}.'
    ) from e


def load(path: str | os.PathLike[str]) -> ModuleType:
  """Runs a Python file as a fresh module on each call.

  A config can share parts of another:

    base = code_files.load(pathlib.Path(__file__).with_name('base.py'))

  Raises:
    OSError: the file can't be read.
    Exception: any exception that the file raises.
  """
  name = f'overlap_{pathlib.Path(path).stem}'
  loader = _Loader(name, os.path.abspath(path))
  spec = importlib.util.spec_from_loader(name, loader)
  assert spec
  module = importlib.util.module_from_spec(spec)
  loader.exec_module(module)
  return module


class _Loader(importlib.machinery.SourceFileLoader):
  """Source loader that neither reads nor writes bytecode files.

  Python decides by length and modification time in seconds whether bytecode is
  up to date: `seed = 1` changed to `seed = 2` within a second would not be
  noticed.
  """

  def get_code(self, fullname: str) -> CodeType:
    del fullname
    return self.source_to_code(self.get_data(self.path), self.path)


def nearest(path: str) -> str:
  """Suggests the Python files near a path that does not exist; '' for none."""
  file = pathlib.Path(path)
  try:
    beside = {str(f.stem): str(f) for f in file.parent.glob('*.py')}
  except (OSError, ValueError):
    return ''
  # By their stems, since all have the same suffix.
  close = lookup.close(file.stem, beside)
  return lookup.did_you_mean([beside[stem] for stem in close])


def format_exception(error: BaseException) -> str:
  """Formats an exception as one line: its class and the start of its text."""
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

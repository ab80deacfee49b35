"""What no code path from user data does, read off the syntax trees.

Each exception is listed with its reason, and must still be needed.
"""

import ast
import pathlib
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
CODE = sorted(
  path
  for folder in ('overlap', 'configs', 'launch')
  for path in (ROOT / folder).rglob('*.py')
) + [ROOT / 'setup.py']

MODULES = (
  'pickle', 'cPickle', '_pickle', 'dill', 'cloudpickle', 'joblib', 'shelve',
  'marshal', 'yaml', 'torch', 'runpy', 'code', 'pty', 'ctypes', 'xmlrpc',
  'telnetlib', 'ftplib', 'xml',
)  # fmt: skip
BUILTINS = ('eval', 'exec', 'compile', '__import__', 'breakpoint', 'input')
# Last parts of what is called: on whatever object, none is wanted.
METHODS = (
  'eval', 'query', 'read_pickle', 'to_pickle', 'extract', 'extractall',
  'unpack_archive', 'exec_module', 'load_module', 'unsafe_load', 'full_load',
  'create_subprocess_shell', 'mktemp',
)  # fmt: skip
DOTTED = (
  'os.system', 'os.popen', 'os.startfile', 'os.exec', 'os.spawn', 'os.posix',
  'subprocess.getoutput', 'subprocess.getstatusoutput', 'ssl._create',
)  # fmt: skip
# Of file and what stands there, why it may.
EXCEPTIONS = {
  ('overlap/core/python_file.py', 'exec_module'):
    'a config is a program, and this is the one place that runs it',
  ('overlap/core/lookup.py', 'import_module'): 'names of a table in the code',
  ('overlap/cli/main.py', 'import_module'): 'names of a table in the code',
  ('overlap/report/__init__.py', 'Markup'):
    "the page's own scripts and styles; JSON whose markup is escaped",
  ('overlap/core/files.py', 'ctypes'):
    "Linux's renameat2, which swaps two folders at once; Python has none",
  ('overlap/core/malloc.py', 'ctypes'):
    'two functions of the C library, on numbers alone; Python has none',
  ('overlap/data/tfds_downloads.py', 'urlopen'):
    "one of TFDS's own addresses, to see whether it can be reached",
}  # fmt: skip
PROCESSES = ('run', 'Popen', 'call', 'check_call', 'check_output')


def faults(source: str) -> Iterator[str]:
  """What is wrong in a file: words of `EXCEPTIONS`."""
  for node in ast.walk(ast.parse(source)):
    if isinstance(node, ast.Import):
      yield from (_module(alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      yield _module(node.module or '')
      if node.module in ('os', 'subprocess'):
        yield f'from {node.module}'  # Calls are then not seen as theirs.
    elif isinstance(node, ast.Call):
      yield from _call(node)
    elif isinstance(node, ast.Constant) and str(node.value)[:7] == 'http://':
      yield 'http://'


def _module(name: str) -> str:
  return name if name.partition('.')[0] in MODULES else ''


def _call(node: ast.Call) -> Iterator[str]:
  name = ast.unparse(node.func)
  last = name.rpartition('.')[2]
  words = {k.arg: k.value for k in node.keywords}
  if name in BUILTINS or name.startswith(DOTTED):
    yield name
  if '.' in name and last in METHODS:
    yield last
  if last in ('import_module', 'urlopen', 'urlretrieve'):
    yield last
  if last == 'Markup' and not all(
    isinstance(a, ast.Constant) for a in node.args
  ):
    yield last
  if name in ('np.load', 'numpy.load') or last == 'read_array':
    is_numpy = last != 'read_array' or 'format' in name
    allowed = words.get('allow_pickle')
    off = isinstance(allowed, ast.Constant) and allowed.value is False
    if is_numpy and not off:
      yield name
  if last in ('Environment', 'Template') and 'jinja2' in name:
    escaped = words.get('autoescape')
    if not (isinstance(escaped, ast.Constant) and escaped.value is True):
      yield name
  starts = name.startswith('subprocess.') and last in PROCESSES
  if starts and not _is_list(node.args[:1]):
    yield name
  if 'verify' in words or 'shell' in words:
    yield 'verify or shell'


def _is_list(arguments: list[ast.expr]) -> bool:
  """Whether a command is a list, or a name, which mypy knows to be one."""
  return bool(arguments) and isinstance(arguments[0], (ast.List, ast.Name))


def found(path: pathlib.Path) -> set[tuple[str, str]]:
  name = str(path.relative_to(ROOT))
  return {(name, f) for f in faults(path.read_text(encoding='utf-8')) if f}


@pytest.mark.parametrize('path', CODE, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_unsafe_is_called(path):
  assert found(path) <= EXCEPTIONS.keys()


def test_every_exception_is_still_needed():
  assert EXCEPTIONS.keys() == set().union(*map(found, CODE)) & EXCEPTIONS.keys()


@pytest.mark.parametrize(
  'source',
  [
    'import pickle', 'from pickle import loads', 'import yaml', 'import torch',
    'import xml.etree.ElementTree', 'eval(x)', 'exec(x)', "compile(x, '', 'e')",
    '__import__(x)', 'frame.eval(x)', 'frame.query(x)', 'os.system(x)',
    'os.popen(x)', 'os.execvp(x, y)', 'os.spawnl(x)', 'from os import system',
    'from subprocess import run', 'subprocess.run(x, shell=True)',
    "subprocess.run('ls')", "subprocess.run(f'ls {x}')",
    "subprocess.Popen('ls ' + x)", 'subprocess.getoutput(x)', 'np.load(x)',
    'np.load(x, allow_pickle=True)', 'np.load(x, allow_pickle=flag)',
    'np.lib.format.read_array(f)', 'pd.read_pickle(x)', 'tar.extractall(x)',
    'archive.extract(x)', 'shutil.unpack_archive(x)',
    'import runpy', 'spec.loader.exec_module(m)', 'markupsafe.Markup(x)',
    "Markup(f'<b>{x}')", 'jinja2.Environment()', 'tempfile.mktemp()',
    'jinja2.Environment(autoescape=False)', 'importlib.import_module(x)',
    'urllib.request.urlopen(x)', 'session.get(x, verify=False)',
    "URL = 'http://x.org'", 'asyncio.create_subprocess_shell(x)',
  ],
)  # fmt: skip
def test_a_planted_fault_is_found(source):
  assert any(faults(source))


@pytest.mark.parametrize(
  'source',
  [
    're.compile(x)', 'np.load(x, allow_pickle=False)', 'json.load(f)',
    'subprocess.run([x, y])', 'subprocess.run(words, check=True)',
    'examples.read_array(w)', "Markup('<b>{}</b>').format(x)",
    'jinja2.Environment(autoescape=True)', 'study_run.run(study)',
  ],
)  # fmt: skip
def test_what_is_safe_is_no_fault(source):
  assert not any(faults(source))

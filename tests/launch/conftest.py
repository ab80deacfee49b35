"""A copy of the launch scripts among fake programs that note their calls."""

import os
import pathlib
import shutil
import stat
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# All that the scripts may use besides Python; no real Python among them.
TOOLS = (
  'bash', 'cat', 'cut', 'dirname', 'env', 'flock', 'grep', 'ls', 'mkdir',
  'mv', 'sed', 'sha256sum',
)  # fmt: skip

NOTE = """#!/usr/bin/env bash
{ printf '%s' "${0##*/}"; printf '\\t%s' "$@"; printf '\\n'; } >>"$CALLS"
"""

# The machine's Python: its `-m venv` makes a folder with the fakes in it.
PYTHON3 = f"""{NOTE}
case "$*" in
  *version_info*'(3, 14)'*) [[ -z ${{FAKE_OLD:-}}${{FAKE_NEW:-}} ]] ;;
  *version_info*) [[ -z ${{FAKE_OLD:-}} ]] ;;
  *ensurepip*) [[ -z ${{FAKE_NO_ENSUREPIP:-}} ]] ;;
  '-m venv --clear '*)
    [[ -z ${{FAKE_VENV_FAILS:-}} ]] || exit 1
    rm -rf -- "$4"
    mkdir -p -- "$4/bin"
    touch -- "$4/pyvenv.cfg"
    cp -- "$FAKES"/venv/* "$4/bin"
    ;;
  *) exit 64 ;;
esac
"""

# The environment's Python: its pip installs `overlap`.
VENV_PYTHON = f"""{NOTE}
case "$*" in
  *sys.version*) echo "${{FAKE_VERSION:-3.11.7}}" ;;
  '-m pip --version') ;;
  '-m pip install '*torch*) [[ -z ${{FAKE_NO_TORCH:-}} ]] ;;
  '-m pip install '*)
    [[ -z ${{FAKE_PIP_FAILS:-}} ]] || exit 1
    cp -- "$FAKES/overlap" "${{0%/*}}"
    ;;
  '-m pytest '*) echo '1 passed in 0.01s'; exit "${{FAKE_PYTEST:-0}}" ;;
  *) exit 64 ;;
esac
"""
OVERLAP = f'{NOTE}exit "${{FAKE_OVERLAP:-0}}"\n'
RUFF = f'{NOTE}echo checked\nexit "${{FAKE_RUFF:-0}}"\n'


class Machine:
  """A machine with a copy of the project, whose paths have spaces."""

  def __init__(self, folder: pathlib.Path):
    self.root = folder / 'a project'
    self.elsewhere = folder / 'some where'
    self.calls_file = folder / 'calls'
    self.path = folder / 'path'
    fakes = folder / 'fakes'
    for made in (self.root, self.elsewhere, self.path, fakes / 'venv'):
      made.mkdir(parents=True)
    shutil.copytree(ROOT / 'launch', self.root / 'launch')
    (self.root / 'setup.py').write_text('first')
    for tool in ('rm', 'cp', 'touch', *TOOLS):
      found = shutil.which(tool)
      if not found:
        pytest.skip(f'the scripts need {tool}, which is not here')
      (self.path / tool).symlink_to(found)
    program(self.path / 'python3', PYTHON3)
    program(fakes / 'venv' / 'python', VENV_PYTHON)
    program(fakes / 'venv' / 'ruff', RUFF)
    program(fakes / 'venv' / 'mypy', NOTE)
    program(fakes / 'overlap', OVERLAP)
    self.env = {
      'PATH': str(self.path),
      'HOME': str(folder),
      'CALLS': str(self.calls_file),
      'FAKES': str(fakes),
    }

  def launch(self, script: str, *arguments: str, **env: str):
    """Runs a script from another folder; returns its completed process."""
    self.calls_file.write_text('')
    return subprocess.run(
      [self.root / 'launch' / script, *arguments],
      env=self.env | env,
      cwd=self.elsewhere,
      capture_output=True,
      text=True,
      timeout=60,
      check=False,
    )

  def calls(self, program: str = '', holding: str = '') -> list[list[str]]:
    """The last launch's calls of a program, those that hold an argument."""
    lines = self.calls_file.read_text().splitlines()
    found = [line.split('\t') for line in lines]
    return [
      call
      for call in found
      if program in ('', call[0]) and (not holding or holding in call)
    ]

  def installs(self) -> int:
    """How often the last launch made an environment or called pip for one."""
    made = self.calls('python3', 'venv') + self.calls('python', 'install')
    return len(made)


def program(path: pathlib.Path, text: str) -> None:
  path.write_text(text)
  path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def machine(tmp_path) -> Machine:
  if os.name != 'posix':
    pytest.skip('the scripts are for POSIX machines')
  return Machine(tmp_path)

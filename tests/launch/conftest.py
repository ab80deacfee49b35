"""A copy of the launch scripts among fake programs that note their calls."""

import importlib.util
import json
import os
import pathlib
import shlex
import shutil
import stat
import subprocess
import sys
import time

import pytest

from overlap.launch import local

ROOT = pathlib.Path(__file__).resolve().parents[2]
# All that the scripts may use besides Python; no real Python among them.
TOOLS = (
  'bash', 'cat', 'cut', 'dirname', 'env', 'flock', 'grep', 'ls', 'mkdir',
  'mv', 'sed', 'sha256sum',
)  # fmt: skip

# One write, so that two at once don't mix theirs.
NOTE = """#!/usr/bin/env bash
printf '%s\\n' "${0##*/}$(printf '\\t%s' "$@")" >>"$CALLS"
"""

# The machine's Python: its `-m venv` makes a folder with the fakes in it.
PYTHON3 = f"""{NOTE}
case "$*" in
  *version_info*'(3, 14)'*) [[ -z ${{FAKE_OLD:-}}${{FAKE_NEW:-}} ]] ;;
  *version_info*) [[ -z ${{FAKE_OLD:-}} ]] ;;
  *ensurepip*) [[ -z ${{FAKE_NO_ENSUREPIP:-}} ]] ;;
  '-m venv --clear '*)
    [[ -z ${{FAKE_VENV_FAILS:-}} ]] || exit 1
    # As the real one: emptied, and the same folder still.
    rm -rf -- "$4"/* "$4"/.overlap*
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
  '-m pip install '*)
    printf 'pip\\tbegin\\n' >>"$CALLS"
    sleep "${{FAKE_SECONDS:-0}}"
    printf 'pip\\tend\\n' >>"$CALLS"
    ;;&
  '-m pip install '*torch*) [[ -z ${{FAKE_NO_TORCH:-}} ]] ;;
  '-m pip install '*)
    [[ -z ${{FAKE_PIP_FAILS:-}} ]] || exit 1
    cp -- "$FAKES/overlap" "${{0%/*}}"
    ;;
  '-m pytest '*)
    echo "unoptimised: ${{JAX_DISABLE_MOST_OPTIMIZATIONS:-no}}" >&2
    echo "bytecode: ${{PYTHONDONTWRITEBYTECODE+not }}kept" >&2
    echo '1 passed in 0.01s'
    exit "${{FAKE_PYTEST:-0}}"
    ;;
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
    for tool in ('rm', 'cp', 'sleep', 'touch', *TOOLS):
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

  def start(self, script: str, **env: str) -> subprocess.Popen:
    """As `launch`, beside others: returns the process as it begins."""
    return subprocess.Popen(
      [self.root / 'launch' / script],
      env=self.env | env,
      cwd=self.elsewhere,
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
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


# In the place of `overlap`: notes what it was called with, does what the file
# named after its unit says for this attempt (0, 1, ..., or a signal), and ends.
FAKE_UNIT = """#!/usr/bin/env bash
for word; do
  case "$word" in
    --model=*) name="${word#--model=}" ;;
    --workdir=*/units/*) name="${word##*/}" ;;
  esac
done
{ printf 'begin\\t%s' "$name"; printf '\\t%s' "$@"; printf '\\n'; } >>"$CALLS"
number=$(grep -c -P "^begin\\t$name\\t" "$CALLS")
status=$(sed -n "${number}p" "$PLAYS/$name" 2>/dev/null)
[[ $status != hang ]] || sleep 300
sleep "${FAKE_SECONDS:-0}"
printf 'end\\t%s\\t%s\\n' "$name" "$status" >>"$CALLS"
echo "$name says so"
[[ $status != SIG* ]] || kill -s "${status#SIG}" $$
exit "${status:-0}"
"""


class Launcher:
  """launch/sweep.py with a fake `overlap`, over models of the quickstart."""

  def __init__(self, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch):
    self.folder, self.workdir = folder, folder / 'work dir'
    self.plays, self.calls_file = folder / 'plays', folder / 'calls'
    self.plays.mkdir()
    self.calls_file.write_text('')
    self.sweep = folder / 'sweep.py'
    program(folder / 'fake', FAKE_UNIT)
    monkeypatch.setenv('CALLS', str(self.calls_file))
    monkeypatch.setenv('PLAYS', str(self.plays))

  def models(self, *names: str) -> None:
    """Makes it a sweep of these models."""
    self.write(f'sweeps.models(*{names})')

  def write(self, items: str) -> None:
    """Makes it a sweep of what an expression gives."""
    self.sweep.write_text(
      'from overlap.config import sweeps\n\n\ndef get_sweep():\n'
      f'  return {items}\n'
    )  # fmt: skip

  def play(self, name: str, *statuses: object) -> None:
    """What a unit's attempts end with; 0 from then on."""
    self.plays.joinpath(name).write_text('\n'.join(map(str, statuses)) + '\n')

  def words(self, *more: str, program: str = '') -> list[str]:
    """The launcher's arguments."""
    given = [
      f'--config={ROOT}/configs/quickstart.py', f'--sweep={self.sweep}',
      f'--workdir={self.workdir}', '--devices=cpu',
      f"--program={program or shlex.quote(str(self.folder / 'fake'))}",
    ]  # fmt: skip
    return [*given, *more]

  def __call__(self, *more: str) -> int:
    """Runs the launcher in this process; returns its exit status."""
    return self.main(self.words(*more))

  @staticmethod
  def main(words: list[str]) -> int:
    """`__call__` with all of its arguments."""
    return SWEEP.main(words)

  def start(self, *more: str, **env: str) -> subprocess.Popen:
    """Starts it as a process of its own."""
    return subprocess.Popen(
      [sys.executable, ROOT / 'launch' / 'sweep.py', *self.words(*more)],
      env=os.environ | env,
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )

  def calls(self, kind: str = 'begin') -> list[list[str]]:
    """What units noted, in order: their names, and what follows."""
    lines = self.calls_file.read_text().splitlines()
    found = [line.split('\t') for line in lines]
    return [words[1:] for words in found if words[0] == kind]

  def names(self, kind: str = 'begin') -> list[str]:
    """The units that noted something, in order."""
    return [words[0] for words in self.calls(kind)]

  def wait_for(self, count: int, kind: str = 'begin') -> None:
    """Waits until so many have noted it."""
    limit = time.monotonic() + 120
    while len(self.calls(kind)) < count:
      assert time.monotonic() < limit, self.calls_file.read_text()
      time.sleep(0.01)

  def state(self, name: str) -> dict:
    """What the launcher has on disk of a unit."""
    file = self.workdir / 'sweep' / 'units' / name / 'state.json'
    return json.loads(file.read_text())

  def outcomes(self, name: str) -> list[str]:
    """How a unit's attempts ended."""
    return [a.get('outcome') for a in self.state(name)['attempts']]


SPEC = importlib.util.spec_from_file_location(
  'launch_sweep', ROOT / 'launch' / 'sweep.py'
)
SWEEP = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(SWEEP)


@pytest.fixture
def launcher(tmp_path, monkeypatch) -> Launcher:
  monkeypatch.setattr(local.Local, 'poll_seconds', 0.02)
  return Launcher(tmp_path, monkeypatch)

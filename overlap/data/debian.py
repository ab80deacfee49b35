"""A Debian package's files, fetched and unpacked without touching the system.

apt-get and dpkg-deb get folders of their own for all that they write, need no
rights, and are run without a shell.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Sequence

from overlap.core import errors

# Read after the machine's own settings. The hooks that distributions run
# after an update clean the system's folders or wake its services.
_SETTINGS = """\
Dir::Cache "{root}/cache";
APT::Sandbox::User "root";
Acquire::Retries "1";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"""
_OWN_LISTS = 'Dir::State::Lists "{root}/lists";\n'
UPDATE_SECONDS = 120.0
DOWNLOAD_SECONDS = 300.0
_UNPACK_SECONDS = 120.0


def unpack(package: str, folder: str | os.PathLike) -> None:
  """Fetches a package and unpacks its files below `folder`, as below '/'.

  The system's package lists are read first; where they are empty or stale,
  fresh ones are fetched into a temporary folder.

  Raises:
    DataError: no apt-get here, or it can't fetch the package.
  """
  for command in ('apt-get', 'dpkg-deb'):
    if not shutil.which(command):
      raise errors.DataError(f'there is no {command} here')
  # The commands run in a folder of their own.
  folder = pathlib.Path(folder).absolute()
  with tempfile.TemporaryDirectory(dir=folder, prefix='.apt-') as name:
    root = pathlib.Path(name).absolute()
    for part in ('cache/archives/partial', 'lists/partial', 'packages'):
      (root / part).mkdir(parents=True)
    try:
      _download(package, root, _SETTINGS)
    except errors.DataError:
      settings = _SETTINGS + _OWN_LISTS
      _apt_get(['update'], root, settings, UPDATE_SECONDS)
      _download(package, root, settings)
    found = sorted((root / 'packages').glob('*.deb'))
    if not found:
      raise errors.DataError(f'apt-get download {package} left no file')
    _run(['dpkg-deb', '-x', str(found[0]), str(folder)], root, _UNPACK_SECONDS)


def _download(package: str, root: pathlib.Path, settings: str) -> None:
  _apt_get(['download', package], root, settings, DOWNLOAD_SECONDS)


def _apt_get(
  arguments: Sequence[str], root: pathlib.Path, settings: str, seconds: float
) -> None:
  config = root / 'apt.conf'
  config.write_text(settings.format(root=root))
  _run(['apt-get', '-q', '-c', str(config), *arguments], root, seconds)


def _run(command: Sequence[str], root: pathlib.Path, seconds: float) -> None:
  """Runs a command below `root`.

  Raises:
    DataError: it fails, or takes longer.
  """
  try:
    subprocess.run(
      command,
      cwd=root / 'packages',
      timeout=seconds,
      check=True,
      stdin=subprocess.DEVNULL,
      capture_output=True,
      text=True,
      errors='replace',
      env={**os.environ, 'DEBIAN_FRONTEND': 'noninteractive', 'LC_ALL': 'C'},
    )
  except subprocess.TimeoutExpired as e:
    raise errors.DataError(
      f'{command[0]} took longer than {seconds:.0f} s'
    ) from e
  except subprocess.CalledProcessError as e:
    lines = [line.strip() for line in e.stderr.splitlines() if line.strip()]
    faults = [line for line in lines if line.startswith('E:')] or lines
    raise errors.DataError(
      f'{command[0]} failed ({(faults or ["no message"])[-1]})'
    ) from e
  except OSError as e:
    raise errors.DataError(f'{command[0]} failed ({e.strerror})') from e

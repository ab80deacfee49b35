"""Lists the image files of folder trees: SPLIT/CLASS/FILE.

A class is a folder with images in it, at any depth below the split's folder,
and is called by its path: 'dog', or 'church/indoor' as Places365 has it.
"""

import collections
import os
import random
from collections.abc import Iterator
from typing import NamedTuple

from overlap.core import errors
from overlap.core.natural_order import sort_naturally
from overlap.data import images

# Folders that file systems, archives and notebooks leave behind.
SKIPPED_FOLDERS = (
  '__MACOSX', '@eaDir', '$RECYCLE.BIN', 'System Volume Information',
  'lost+found',
)  # fmt: skip
_NO_CLASS = "in no class's folder"
_HIDDEN = 'hidden'
_NO_SUFFIX = 'without a suffix'


class Folder(NamedTuple):
  """Entries of one folder.

  Attributes:
    files: names of the images, sorted.
    folders: names of the folders that may hold more, in natural order.
    left_out: how many other entries there are, by the reason.
  """

  files: list[str]
  folders: list[str]
  left_out: collections.Counter[str]


class Split(NamedTuple):
  """Image files of a split.

  Attributes:
    classes: class name to the names of its files, classes in natural order.
    left_out: how many other files there are, by the reason.
  """

  classes: dict[str, list[str]]
  left_out: collections.Counter[str]


def list_folder(path: str) -> Folder:
  """Lists one folder.

  Raises:
    DataError: it can't be read.
  """
  files, folders = [], []
  left_out: collections.Counter[str] = collections.Counter()
  try:
    with os.scandir(path) as entries:
      for entry in entries:
        if entry.is_dir():
          if _is_skipped(entry.name):
            left_out[f'folder {entry.name}'] += 1
          else:
            folders.append(entry.name)
        elif why := reason(entry.name):
          left_out[why] += 1
        else:
          files.append(entry.name)
  except (OSError, ValueError) as e:
    raise errors.DataError(
      f'{path} must be a readable folder, got: {e}.'
    ) from e
  return Folder(sorted(files), sort_naturally(folders), left_out)


def list_split(path: str) -> Split:
  """Lists the images of a split by class.

  Args:
    path: the split's folder.

  Raises:
    DataError: a folder holds no image, or one with images lies within another
      with images, so that its class is ambiguous.
  """
  classes: dict[str, list[str]] = {}
  left_out: collections.Counter[str] = collections.Counter()
  for name, above, folder in _walk(path, '', '', (os.path.realpath(path),)):
    left_out += folder.left_out
    if not name:
      left_out[_NO_CLASS] += len(folder.files)
    elif folder.files and above:
      raise errors.DataError(
        'A class must have all its images in one folder, got images in '
        f'{os.path.join(path, above)} and in {os.path.join(path, name)}; move '
        "them, or let the name of a folder to be skipped begin with '.'."
      )
    elif folder.files:
      classes[name] = folder.files
    elif not (folder.folders or above):
      raise errors.DataError(
        f'{os.path.join(path, name)}: every class must have an image '
        f'({", ".join(images.EXTENSIONS)}), got '
        f'{describe_left_out(folder.left_out) or "none"}.'
      )
  return Split(
    {name: classes[name] for name in sort_naturally(classes)}, +left_out
  )


def _walk(
  path: str, name: str, above: str, ancestors: tuple[str, ...]
) -> Iterator[tuple[str, str, Folder]]:
  """Yields name, nearest folder above with images, and entries of folders."""
  folder = list_folder(os.path.join(path, name))
  yield name, above, folder
  if name and folder.files:
    above = name
  for each in folder.folders:
    below = f'{name}/{each}' if name else each
    real = os.path.realpath(os.path.join(path, below))
    if real not in ancestors:  # A link to a folder above it has no end.
      yield from _walk(path, below, above, (*ancestors, real))


def sample_files(root: str, count: int) -> list[str]:
  """Returns random images of a tree, the same ones at every call.

  Each is reached by a random descent, so that a few folders of a large tree
  are read, and not all.

  Args:
    root: a folder.
    count: descents; there are as many images, or fewer.

  Returns:
    Paths below the root, sorted.
  """
  rng = random.Random(0)
  listed: dict[str, Folder] = {}
  found: set[str] = set()
  for _ in range(count):
    path = ''
    for _ in range(32):  # Deeper are only links that lead back.
      if path not in listed:
        listed[path] = list_folder(os.path.join(root, path))
      files, folders, _ = listed[path]
      # A folder's own images are one branch of the descent.
      branches = [*folders, ''] if files else folders
      branch = rng.choice(branches) if branches else ''
      if branch:
        path = os.path.join(path, branch)
        continue
      if files:
        found.add(os.path.join(path, rng.choice(files)))
      break
  return sorted(found)


def describe_left_out(left_out: collections.Counter[str]) -> str:
  """Returns text such as '3 .txt, 1 hidden', the most first; '' for none."""
  return ', '.join(f'{n} {reason}' for reason, n in left_out.most_common())


def _is_skipped(folder: str) -> bool:
  return folder.startswith('.') or folder in SKIPPED_FOLDERS


def reason(file: str) -> str:
  """Returns why a file is no image by its name; '' where it is one."""
  file = os.path.basename(file)
  if file.startswith('.'):
    return _HIDDEN
  suffix = os.path.splitext(file)[1].lower()
  return '' if suffix in images.EXTENSIONS else suffix or _NO_SUFFIX

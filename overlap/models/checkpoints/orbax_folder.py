"""Arrays from the folders that Orbax writes, alone or for Flax."""

import contextlib
import logging
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath

from overlap.core import errors
from overlap.models.checkpoints import trees

_ASYNCIO = logging.getLogger('asyncio')
# Every checkpoint of a tree has it.
_MARK = '_METADATA'
# 'checkpoint_1000' of Flax and '1000' of Orbax's managers.
_STEP = re.compile(r'(?:checkpoint_|step_)?(\d+(?:\.\d+)?)')
# What studies and managers call the tree, beside which they save other things.
_ITEMS = (
  'checkpoint', 'default', 'state', 'train_state', 'params', 'variables',
)  # fmt: skip


def is_one(path: epath.Path) -> bool:
  """Returns whether a path is a checkpoint's folder."""
  return path.is_dir() and (path / _MARK).is_file()


def find(folder: epath.Path) -> epath.Path | None:
  """The checkpoint in a folder: itself, or the last of a run.

  That is the folder itself where Orbax wrote it; or, of what is called by a
  step ('1000', 'checkpoint_1000') the one of the last, which may be a file of
  Flax; or the first of the folders 'checkpoint', 'default', 'state',
  'train_state', 'params' and 'variables'; and so on in the folder so found.

  Returns:
    A checkpoint's folder or a file, or None where there is none.
  """
  while folder.is_dir() and not is_one(folder):
    steps = {
      float(match[1]): path
      for path in folder.iterdir()
      if (match := _STEP.fullmatch(path.name))
    }
    items = (folder / name for name in _ITEMS)
    inner = next((path for path in items if path.is_dir()), None)
    if not steps and inner is None:
      return None
    folder = steps[max(steps)] if steps else inner
  return folder


def load(path: epath.PathLike) -> dict[str, np.ndarray]:
  """Reads the variables in a checkpoint's folder: arrays by name, sorted.

  Only they are read, and not the state of an optimizer beside them.

  Returns:
    Arrays by name, such as 'params/head/kernel'; see `trees.find` for which
    part of the checkpoint they are.

  Raises:
    DataError: the folder is not whole, or something else than numbers is
      among its variables.
  """
  path = epath.Path(path).absolute()
  try:
    with quiet(), ocp.PyTreeCheckpointer() as checkpointer:
      tree = _layout(checkpointer, path)
      collections = trees.find(tree)
      _check(trees.named(tree, collections), path)
      wanted = _only(tree, collections)
      restored = checkpointer.restore(
        path,
        args=ocp.args.PyTreeRestore(
          item=wanted,
          # As arrays of the host, whatever devices they were saved from.
          restore_args=jax.tree.map(
            lambda _: ocp.RestoreArgs(restore_type=np.ndarray), wanted
          ),
          partial_restore=True,
        ),
      )
  except errors.DataError:
    raise
  # Orbax and TensorStore raise classes from many places.
  except Exception as e:
    lines = str(e).strip().split('\n')
    raise errors.DataError(
      f'{path} must be a whole checkpoint of Orbax, got: '
      f'{lines[0][:200] or type(e).__name__}.'
    ) from e
  named = trees.named(restored, collections)
  return {name: named[name] for name in sorted(named)}


def _is_retrieved(record: logging.LogRecord) -> bool:
  return 'exception was never retrieved' not in record.getMessage()


def but_late(hook: Callable[[Any], Any]) -> Callable[[Any], None]:
  """A `sys.unraisablehook` without what ends after a failure, unawaited.

  Where one read or write fails, TensorStore raises this once for every other
  array that was under way.
  """

  def others(unraisable: Any) -> None:
    if str(unraisable.exc_value) != 'Event loop is closed':
      hook(unraisable)

  return others


@contextlib.contextmanager
def quiet() -> Iterator[None]:
  """Keeps Orbax from printing tracebacks of reads that end too late.

  Where one read fails, others end after it, and find nobody waiting. What
  fails within is raised as ever.
  """
  _ASYNCIO.addFilter(_is_retrieved)
  before = sys.unraisablehook
  sys.unraisablehook = but_late(before)
  yield
  # After a failure both stay: they may come at any time.
  sys.unraisablehook = before
  _ASYNCIO.removeFilter(_is_retrieved)


def _layout(checkpointer: Any, path: epath.Path) -> Any:
  """The tree, with what is known of each array in its place."""
  metadata = checkpointer.metadata(path).item_metadata
  if metadata is None:
    raise ValueError('some of the arrays that it names are absent or damaged')
  return metadata.tree


def _only(tree: Any, collections: dict[str, trees.Path]) -> dict[str, Any]:
  """The tree without what belongs to none of the collections."""
  if () in collections.values():
    return tree
  kept: dict[str, Any] = {}
  for path in collections.values():
    *around, last = path
    node = kept
    for key in around:
      node = node.setdefault(key, {})
    node[last] = trees.at(tree, path)
  return kept


def _check(named: Mapping[str, Any], path: epath.Path) -> None:
  for name, leaf in named.items():
    if not hasattr(leaf, 'dtype'):
      raise errors.DataError(
        f'{name!r} in {path} must be numbers, and is {type(leaf).__name__}.'
      )

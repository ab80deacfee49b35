"""Maps a checkpoint's head of other classes to the data set's classes."""

from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
from etils import epath

from overlap.core import errors, lookup
from overlap.models import class_mapping


def check_class_mapping(name: str, settings: Mapping[str, Any]) -> None:
  """Checks settings before any file is read.

  Args:
    name: name of the model.
    settings: config of the model.

  Raises:
    UsageError: the checkpoint, mapping or list of classes is not given, or the
      reduction is unknown.
  """
  at = f'config.models.{name}'
  head = settings['head']
  lookup.check_choice(
    f'reduction (in {at})', head['reduction'], class_mapping.REDUCTIONS
  )
  for part, field in (
    ('init', 'checkpoint'),
    ('head', 'mapping'),
    ('head', 'source_classes'),
  ):
    if not settings[part][field]:
      raise errors.UsageError(
        f"{at}.head.fit='class_mapping' must have a file in "
        f"{at}.{part}.{field}, got ''."
      )


def source_classes(head: Mapping[str, Any]) -> tuple[str, ...]:
  """Returns the names of the checkpoint's classes, in the order of its logits.

  Raises:
    DataError: the file can't be read, or is empty.
  """
  path = epath.Path(head['source_classes']).expanduser()
  try:
    lines = path.read_text(encoding='utf-8').splitlines()
  except (OSError, UnicodeDecodeError) as e:
    raise errors.DataError(
      f'{path} must be a readable file of names, got: {e}.'
    ) from e
  names = tuple(line.strip() for line in lines if line.strip())
  if not names:
    raise errors.DataError(
      f'{path} must name one class a line, and names none.'
    )
  return names


def wrap(
  model: nn.Module,
  head: Mapping[str, Any],
  sources: Sequence[str],
  targets: Sequence[str],
) -> class_mapping.Mapped:
  """Wraps a model of source classes as one of the data set's classes.

  Args:
    model: module with a head of the source classes.
    head: config of the head: `mapping` and `reduction`.
    sources: names of the source classes, see `source_classes`.
    targets: names of the data set's classes.

  Raises:
    DataError: the mapping can't be read, names other classes, or leaves a
      class of the data set without a source.
  """
  table = class_mapping.table(
    class_mapping.read_pairs(head['mapping']),
    source_classes=sources,
    target_classes=targets,
  )
  rows = tuple(tuple(row) for row in table.tolist())
  return class_mapping.Mapped(model, rows, head['reduction'])

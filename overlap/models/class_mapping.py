"""Heads that map the classes of a model to other classes.

For models trained on many more classes than the data set has (BiT on JFT,
models of ImageNet-21k): each target class is the union of some source classes.
Since source classes are exclusive, a target's probability is the sum of those
of its sources, and its logit the log-sum-exp of theirs.
"""

import csv
from collections.abc import Mapping, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from etils import epath

from overlap.core import errors, lookup

REDUCTIONS = ('logsumexp', 'max')
COLUMNS = ('source_class', 'target_class')
_MOST_NAMED = 5


def map_logits(
  logits: jax.Array, sources: np.ndarray, *, reduction: str = 'logsumexp'
) -> jax.Array:
  """Returns the logits of target classes.

  Args:
    logits: [examples, source classes].
    sources: int [target classes, k], the source classes of each target, padded
      with -1; see `table`.
    reduction: 'logsumexp' over a target's sources, or 'max', which does not
      favour targets with many sources.

  Returns:
    [examples, target classes]; -inf for a target without any source.

  Raises:
    UsageError: the reduction is unknown.
  """
  lookup.check_choice('reduction of a class mapping', reduction, REDUCTIONS)
  given = jnp.where(sources[None] >= 0, logits[:, sources], -jnp.inf)
  if reduction == 'max':
    return jnp.max(given, axis=-1, initial=-jnp.inf)
  if not sources.shape[1]:
    return jnp.full(given.shape[:2], -jnp.inf, given.dtype)
  return jax.nn.logsumexp(given, axis=-1)


class Mapped(nn.Module):
  """Classifier of target classes, from a classifier of source classes.

  It has the model's variables and features.

  Attributes:
    model: classifier of source classes.
    sources: sources of each target class, padded to one length; see `table`.
    reduction: reduction over a target's sources, see `map_logits`.
  """

  model: nn.Module
  sources: tuple[tuple[int, ...], ...]
  reduction: str = 'logsumexp'

  def setup(self):
    nn.share_scope(self, self.model)

  def __call__(
    self, x: jax.Array, *, train: bool = False
  ) -> tuple[jax.Array, jax.Array]:
    """Returns logits [examples, target classes] and the model's features."""
    logits, features = self.model(x, train=train)
    sources = np.array(self.sources, np.int32)
    mapped = map_logits(logits, sources, reduction=self.reduction)
    return mapped, features


def table(
  pairs: Sequence[tuple[str, str]],
  *,
  source_classes: Sequence[str],
  target_classes: Sequence[str],
  allow_unmapped: bool = False,
) -> np.ndarray:
  """Returns the source classes of each target.

  Args:
    pairs: (source class, target class) in any order; a class may be in several
      pairs.
    source_classes: names in the order of the model's logits.
    target_classes: names in the order of the labels.
    allow_unmapped: whether a target may have no source; it is then never
      predicted, and its examples always count as wrong.

  Returns:
    int32 [target classes, k], ascending, padded with -1.

  Raises:
    DataError: a class is unknown, a pair is repeated, or a target has no
      source.
  """
  of_source = _positions(source_classes, 'source')
  of_target = _positions(target_classes, 'target')
  found: list[set[int]] = [set() for _ in target_classes]
  for source, target in pairs:
    i = _known(of_source, source, 'source')
    sources = found[_known(of_target, target, 'target')]
    if i in sources:
      raise errors.DataError(
        'A class mapping must have each pair once, got '
        f'{source!r} and {target!r} twice.'
      )
    sources.add(i)
  unmapped = [
    name for name, sources in zip(target_classes, found) if not sources
  ]
  if unmapped and not allow_unmapped:
    more = len(unmapped) - _MOST_NAMED
    raise errors.DataError(
      'Each target class of a class mapping must have a source class, and '
      f'{len(unmapped)} of {len(target_classes)} have none: '
      f'{", ".join(unmapped[:_MOST_NAMED])}{", ..." * (more > 0)}.'
    )
  result = np.full((len(found), max(map(len, found), default=0)), -1, np.int32)
  for row, sources in zip(result, found):
    row[: len(sources)] = sorted(sources)
  return result


def read_pairs(path: epath.PathLike) -> list[tuple[str, str]]:
  """Reads a CSV file with the columns source_class and target_class.

  Raises:
    DataError: the file can't be read, or lacks a column or a value.
  """
  path = epath.Path(path).expanduser()
  try:
    text = path.read_text(encoding='utf-8')
  except (OSError, UnicodeDecodeError) as e:
    raise errors.DataError(
      f'{path} must be a readable file of a class mapping, got: {e}.'
    ) from e
  rows = csv.DictReader(text.lstrip('\ufeff').splitlines())
  missing = set(COLUMNS) - set(rows.fieldnames or ())
  if missing:
    raise errors.DataError(
      f'{path} must have the columns {", ".join(COLUMNS)}, and lacks '
      f'{", ".join(sorted(missing))}.'
    )
  pairs = []
  for row in rows:
    source, target = ((row[name] or '').strip() for name in COLUMNS)
    if not (source and target):
      raise errors.DataError(
        f'{path} must have a source and a target in each line, got '
        f'{source!r} and {target!r} in line {rows.line_num}.'
      )
    pairs.append((source, target))
  return pairs


def _positions(classes: Sequence[str], kind: str) -> dict[str, int]:
  positions = {name: i for i, name in enumerate(classes)}
  if len(positions) != len(classes):
    raise errors.DataError(
      f'The {kind} classes of a class mapping must have names of their own, '
      f'got {len(classes) - len(positions)} that come again.'
    )
  return positions


def _known(positions: Mapping[str, int], name: str, kind: str) -> int:
  if name not in positions:
    raise errors.DataError(
      f'A class mapping must be of the {len(positions)} {kind} classes, got '
      f'{name!r}. {lookup.nearest(name, positions)}'.strip()
    )
  return positions[name]

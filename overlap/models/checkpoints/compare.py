"""The leaves of a checkpoint against those of a model."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flax import traverse_util

_HEADS = ('head', 'head_dist')
_MOST_NAMED = 5


def flat(variables: Mapping[str, Any], *, skip_head: bool) -> dict[str, Any]:
  """Leaves by path, such as 'params/head/kernel'.

  Args:
    variables: nested dicts.
    skip_head: leave out the classifiers, 'head' and 'head_dist'.
  """
  leaves = traverse_util.flatten_dict(variables, sep='/')
  return {
    name: leaf
    for name, leaf in leaves.items()
    if not (skip_head and name.split('/')[1] in _HEADS)
  }


def faults(
  got: Mapping[str, Any], wanted: Mapping[str, Any], *, strict: bool
) -> list[str]:
  """Why a checkpoint is refused, one text a leaf; none where it is not.

  Args:
    got: leaves by path, which have a shape.
    wanted: likewise, of the model.
    strict: refuse missing and extra leaves too. Where not, one leaf that both
      have is enough.
  """
  if not strict and not got.keys() & wanted.keys():
    return [f'it has none of the {len(wanted)} leaves']
  return [
    text
    for kind, text in _differences(got, wanted)
    if strict or kind == 'shape'
  ]


def report(
  got: Mapping[str, Any], wanted: Mapping[str, Any], ignored: Sequence[str]
) -> Iterator[str]:
  """Returns a warning for a checkpoint that differs but is taken.

  Args:
    got: see `faults`.
    wanted: see `faults`.
    ignored: names in the file that were left out before.
  """
  missing = [name for name in wanted if name not in got]
  extra = [*ignored, *(name for name in got if name not in wanted)]
  if missing:
    yield (
      f'leaves missing, which keep their initial values: {len(missing)} of '
      f'{len(wanted)} ({first(missing, ", ")})'
    )
  if extra:
    yield f'leaves ignored as extra: {len(extra)} ({first(extra, ", ")})'


def first(texts: Sequence[str], separator: str) -> str:
  """The first texts, and how many more there are."""
  more = len(texts) - _MOST_NAMED
  last = f'{separator}and {more} more' * (more > 0)
  return separator.join(texts[:_MOST_NAMED]) + last


def _differences(
  got: Mapping[str, Any], wanted: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
  """The kind of each difference, and a text about it."""
  for name in wanted:
    if name not in got:
      yield 'missing', f'{name} is missing'
    elif got[name].shape != wanted[name].shape:
      yield (
        'shape',
        f'{name} has shape {list(got[name].shape)} instead of '
        f'{list(wanted[name].shape)}',
      )
  for name in got:
    if name not in wanted:
      yield 'extra', f'{name} is extra'

"""Location of a model's variables in the tree that a Flax program saved."""

from collections.abc import Iterator, Mapping
from typing import Any

Path = tuple[str, ...]

_PARAMS = 'params'
_STATISTICS = 'batch_stats'
# What leads to the parameters, or nearer to them.
_AROUND = (
  (_PARAMS,),
  ('target',),
  ('optimizer', 'target'),
  ('opt', 'target'),
  ('variables',),
  ('train_state',),
  ('state',),
)
# What statistics may be in, beside the parameters.
_BESIDE = ('model_state', 'mutable_state', 'flax_mutables')


def find(tree: Mapping[str, Any]) -> dict[str, Path]:
  """Finds the collections of variables, by these rules, the first that holds.

  1. A tree with a dict called 'params' has its parameters there, and if that
     dict has a 'params' too, in this one.
  2. A tree with a dict called 'target', such a one within 'optimizer' or
     'opt', or one called 'variables', 'train_state' or 'state', has them
     there, by the same rules.
  3. Any other tree is parameters and nothing else.

  Statistics of batches are a dict 'batch_stats', or one within 'model_state',
  'mutable_state' or 'flax_mutables', beside any of the dicts passed on this
  way. Whatever else there is, such as the state of an optimizer, is left.

  Args:
    tree: nested dicts and lists.

  Returns:
    Of 'params', and of 'batch_stats' where there are any, the keys that lead
    there.
  """
  found: dict[str, Path] = {}
  path: Path = ()
  while True:
    node = at(tree, path)
    for inner in ((), *((name,) for name in _BESIDE)):
      if _STATISTICS not in found and _is_dict(node, (*inner, _STATISTICS)):
        found[_STATISTICS] = (*path, *inner, _STATISTICS)
    ways = _AROUND[:1] if path[-1:] == (_PARAMS,) else _AROUND
    way = next((way for way in ways if _is_dict(node, way)), None)
    if way is None:
      return {_PARAMS: path} | found
    path += way


def at(tree: Any, path: Path) -> Any:
  """Returns the value at a path of keys."""
  for key in path:
    tree = tree[key]
  return tree


def named(
  tree: Mapping[str, Any], collections: Mapping[str, Path]
) -> dict[str, Any]:
  """Leaves by name, such as 'params/head/kernel'.

  Args:
    tree: nested dicts and lists; None is no leaf.
    collections: see `find`.
  """
  return {
    '/'.join((collection, *keys)): leaf
    for collection, path in collections.items()
    for keys, leaf in _leaves(at(tree, path))
  }


def _is_dict(tree: Any, path: Path) -> bool:
  for key in path:
    if not isinstance(tree, Mapping) or key not in tree:
      return False
    tree = tree[key]
  return isinstance(tree, Mapping)


def _leaves(tree: Any) -> Iterator[tuple[Path, Any]]:
  """Each leaf and the keys that lead to it."""
  if type(tree) in (list, tuple):  # Named tuples stand for other things.
    tree = dict(enumerate(tree))
  if isinstance(tree, Mapping):
    for key, value in tree.items():
      for keys, leaf in _leaves(value):
        yield (str(key), *keys), leaf
  elif tree is not None:
    yield (), tree

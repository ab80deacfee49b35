"""Sets fields of a study's config by flags: `--config.FIELD=VALUE`.

What VALUE may be follows from the field: a number, text, true or false, or
items with commas between them. Options of an architecture that the config
leaves at their defaults follow from its module.
"""

import ast
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import ml_collections
from absl import flags

from overlap.core import errors, lookup

_PREFIX = re.compile(r'--?(no)?config\.')
_OPTIONS, _NAME = ('architecture', 'options'), 'architecture.name'
_EXAMPLES = {str: 'test,train', int: '16,32', float: '0.3,0.6'}


class Override(NamedTuple):
  """One flag.

  Attributes:
    path: dotted path of the field, without 'config'.
    value: its text; None for a flag that stands alone.
    negated: whether it is `--noconfig.FIELD`.
  """

  path: str
  value: str | None
  negated: bool = False


class _Type(NamedTuple):
  """Parser for the value of a field.

  Attributes:
    rule: what it must be, for error texts.
    parse: from text to value; raises ValueError or TypeError.
  """

  rule: str
  parse: Callable[[str], Any]


_SCALARS: dict[type, _Type] = {
  bool: _Type('true or false', flags.BooleanParser().parse),
  int: _Type('a whole number', flags.IntegerParser().parse),
  float: _Type('a number', flags.FloatParser().parse),
  str: _Type('text', str),
}
_PLURALS = {bool: 'true or false', int: 'whole numbers', float: 'numbers'}


def take(argv: list[str]) -> list[Override]:
  """Removes the flags that set fields from `argv` and returns them."""
  taken, kept = [], []
  words = iter(enumerate(argv))
  for place, word in words:
    prefix = _PREFIX.match(word)
    if not prefix:
      kept.append(word)
      continue
    path, equals, value = word[prefix.end() :].partition('=')
    following = argv[place + 1 : place + 2]
    if prefix[1] or equals:
      text = value if equals else None
      taken.append(Override(path, text, negated=bool(prefix[1])))
    elif following and not following[0].startswith('--'):
      taken.append(Override(path, following[0]))
      next(words)
    else:
      taken.append(Override(path, None))
  argv[:] = kept
  return taken


def apply(
  config: ml_collections.ConfigDict, overrides: Sequence[Override]
) -> None:
  """Sets fields, in place; a list that is given repeatedly adds up.

  Raises:
    UsageError: there is no such field, option or place in a list (the text
      lists those there are), or the value is of another type.
  """
  seen: set[str] = set()
  # An architecture's options are those of the one that is named.
  for one in sorted(overrides, key=lambda o: not o.path.endswith(_NAME)):
    _apply(config, one, add=one.path in seen)
    seen.add(one.path)


def _apply(
  config: ml_collections.ConfigDict, override: Override, *, add: bool
) -> None:
  *parents, last = override.path.split('.')
  nodes, where = [config], 'config'
  for field in parents:
    lookup.check_choice(f'field of {where}', field, _names(nodes[-1], where))
    where = f'{where}.{field}'
    node = nodes[-1][field]
    if not isinstance(node, ml_collections.ConfigDict):
      raise errors.UsageError(
        f'{where} must be set as a whole, for it has no fields, got '
        f'--config.{override.path}.'
      )
    nodes.append(node)
  name, bracket, place = last.partition('[')
  at = f'--{where}.{name}'
  if bracket:
    lookup.check_choice(f'field of {where}', name, _names(nodes[-1], where))
    _set_place(nodes[-1], name, place.removesuffix(']'), at, override)
    return
  kind = _type(nodes, parents, where, name)
  old = nodes[-1].get(name)
  fields = list(old) if isinstance(old, ml_collections.ConfigDict) else []
  value = _parse(at, kind, override, fields)
  if add and isinstance(value, tuple):
    value = (*old, *value)
  _set(nodes[-1], name, value)


def _set(node: ml_collections.ConfigDict, name: str, value: Any) -> None:
  with node.ignore_type():  # It has been checked, and better.
    node[name] = value


def _names(node: ml_collections.ConfigDict, where: str) -> list[str]:
  """The fields of a node."""
  if not isinstance(node, ml_collections.ConfigDict):
    raise errors.UsageError(f'{where} has no fields.')
  return list(node.keys())


def _type(
  nodes: list[ml_collections.ConfigDict],
  parents: list[str],
  where: str,
  name: str,
) -> _Type:
  """Returns the parser for the value of a field."""
  node = nodes[-1]
  if tuple(parents[-2:]) == _OPTIONS:
    if hints := _option_types(nodes[-2]['name']):
      lookup.check_choice(f'option of {nodes[-2]["name"]}', name, hints)
      return _type_of_hint(hints[name])
  elif node.is_locked or where == 'config.models':
    lookup.check_choice(f'field of {where}', name, node.keys())
  elif name not in node:  # A name of the user's own, such as a group's.
    return _tuple_of(str)
  return _type_of(node[name])


def _option_types(architecture: str) -> Mapping[str, Any]:
  """Types of an architecture's options by name; none for an unknown one."""
  # Not at the top: it imports Flax, which few flags need.
  from overlap import models
  from overlap.models import options

  if architecture not in models.MODELS:
    return {}  # It is refused later, with the names that there are.
  return options.option_types(
    lookup.lookup('model', architecture, models.MODELS)
  )


def _type_of_hint(hint: Any) -> _Type:
  """The parser of a dataclass field's type."""
  if typing.get_origin(hint) is tuple:
    return _tuple_of(typing.get_args(hint)[0])
  return _SCALARS.get(hint, _Type('a literal', _literal))


def _type_of(value: Any) -> _Type:
  """The parser of a field whose value or default is this."""
  if isinstance(value, ml_collections.ConfigDict):
    return _Type('', _dictionary)
  if isinstance(value, (tuple, list)):
    kinds = {type(item) for item in value}
    return _tuple_of(kinds.pop() if len(kinds) == 1 else None)
  return _SCALARS.get(type(value), _Type('a literal', _literal))


def _tuple_of(kind: Any) -> _Type:
  """The parser of items with commas between them, brackets around or not."""
  item = _SCALARS.get(kind)
  plural = _PLURALS.get(kind, 'items')
  example = _EXAMPLES.get(kind, 'a,b')

  def parse(text: str) -> tuple[Any, ...]:
    value = _literal(text)
    if isinstance(value, (tuple, list)):
      items = list(value)
    elif kind is str or isinstance(value, str):
      items = [part.strip() for part in text.split(',') if part.strip()]
    else:
      items = [value]
    if item is None:
      return tuple(_literal(i) if isinstance(i, str) else i for i in items)
    return tuple(item.parse(str(i)) for i in items)

  return _Type(f'{plural} with commas between them, as in {example}', parse)


def _literal(text: str) -> Any:
  """A Python literal; any other text is itself."""
  try:
    return ast.literal_eval(text)
  except (SyntaxError, ValueError, MemoryError, RecursionError):
    return text


def _dictionary(text: str) -> ml_collections.ConfigDict:
  value = _literal(text)
  if not isinstance(value, dict):
    raise ValueError(text)
  return ml_collections.ConfigDict(value)


def _by_fields(at: str, fields: Sequence[str], got: str) -> str:
  first = 'name' if 'name' in fields else 'FIELD'
  return (
    f'{at} must be set by its fields, as in {at}.{first}=..., got {got}. '
    f'Fields: {", ".join(fields) or "none"}.'
  )


def _parse(
  at: str, kind: _Type, override: Override, fields: Sequence[str] = ()
) -> Any:
  """The value of a flag; `fields` are those of a field that has some."""
  text = override.value
  try:
    if text is not None and not override.negated:
      return kind.parse(text)
    if kind is _SCALARS[bool] and text is None:
      return not override.negated  # The flag alone says it.
    raise ValueError(text)
  except (TypeError, ValueError) as e:
    got = 'nothing' if text is None else repr(text)
    if kind.parse is _dictionary:
      raise errors.UsageError(_by_fields(at, fields, got)) from e
    where = f'--no{at[2:]}' if override.negated else at
    raise errors.UsageError(f'{where} must be {kind.rule}, got {got}.') from e


def _set_place(
  node: ml_collections.ConfigDict,
  name: str,
  place: str,
  at: str,
  override: Override,
) -> None:
  """Sets one item of a list."""
  value = node[name]
  listed = isinstance(value, (list, tuple))
  number = int(place) if re.fullmatch(r'-?\d{1,9}', place) else None
  if not listed or number is None or not -len(value) <= number < len(value):
    raise errors.UsageError(
      f'{at}[PLACE] must be a place of {value!r}, got {place}.'
    )
  items = list(value)
  items[number] = _parse(f'{at}[{place}]', _type_of(items[number]), override)
  _set(node, name, tuple(items))

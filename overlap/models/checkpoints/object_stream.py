"""Interprets the object streams in PyTorch files, and runs nothing in them.

Such a stream is a program for a small stack machine, whose usual interpreter
imports and calls whatever the program names. This one knows only the
instructions that build tuples, lists, dicts, sets, numbers, bytes, text and
objects, and calls only what `torch_objects.NAMES` lists, which are functions of
our own that describe tensors. Any other name stands for a
`torch_objects.Unread`: to call it, to make an object of it, or to put something
into one has no effect. It stops at any other instruction, before the next one
is looked at. No instruction copies what is already there, so that memory is
bounded by the length of the stream.
"""

import io
import pickletools  # nosec B403
from collections.abc import Callable, Iterator
from typing import Any

from overlap.core import errors
from overlap.models.checkpoints import torch_objects
from overlap.models.checkpoints.torch_objects import Unread, require

_CONSTANTS = {
  'NONE': None,
  'NEWTRUE': True,
  'NEWFALSE': False,
  'EMPTY_TUPLE': (),
}
# Their argument is the value.
_LITERALS = frozenset(
  (
    'BINFLOAT',
    'BININT',
    'BININT1',
    'BININT2',
    'BINBYTES',
    'BINBYTES8',
    'BINSTRING',
    'BINUNICODE',
    'BINUNICODE8',
    'LONG1',
    'LONG4',
    'SHORT_BINBYTES',
    'SHORT_BINSTRING',
    'SHORT_BINUNICODE',
  )
)
_WITHOUT_EFFECT = frozenset(('PROTO', 'FRAME', 'STOP'))
_LONGEST_TEXT = 100  # of what error texts repeat from a file


class _Machine:
  """Stack, marks and memo; a method for each kind of instruction."""

  def __init__(self) -> None:
    self.stack: list[Any] = []
    self.marked: list[list[Any]] = []
    self.memo: dict[int, Any] = {}
    self.storages: dict[str, torch_objects.Storage] = {}

  def step(self, name: str, argument: Any) -> None:
    if name in _LITERALS:
      self.stack.append(argument)
    elif name in _CONSTANTS:
      self.stack.append(_CONSTANTS[name])
    elif name not in _WITHOUT_EFFECT:
      _INSTRUCTIONS[name](self, argument)

  def top(self, kind: type) -> Any:
    """The last value, of this type; None where it is not read."""
    value = self.stack[-1]
    if type(value) is Unread:
      return None
    require(type(value) is kind, f'a {kind.__name__} is missing')
    return value

  def mark(self, _: Any) -> None:
    self.marked.append(self.stack)
    self.stack = []

  def pop_marked(self) -> list[Any]:
    items, self.stack = self.stack, self.marked.pop()
    return items

  def put(self, index: int | None) -> None:
    self.memo[len(self.memo) if index is None else index] = self.stack[-1]

  def get(self, index: int) -> None:
    self.stack.append(self.memo[index])

  def marked_tuple(self, _: Any) -> None:
    items = tuple(self.pop_marked())
    self.stack.append(items)

  def last_as_tuple(self, length: int) -> None:
    require(len(self.stack) >= length, 'a tuple lacks its values')
    self.stack[-length:] = [tuple(self.stack[-length:])]

  def extend(self, items: list[Any]) -> None:
    target = self.top(list)
    if target is not None:
      target.extend(items)

  def update(self, items: list[Any]) -> None:
    require(len(items) % 2 == 0, 'a key lacks its value')
    target = self.top(dict)
    if target is not None:
      for key, value in zip(items[::2], items[1::2]):
        target[torch_objects.dict_key(key)] = value

  def marked_set(self, _: Any) -> None:
    self.pop_marked()
    self.stack.append(Unread('builtins.frozenset'))

  def set_item(self, _: Any) -> None:
    value, key = self.stack.pop(), self.stack.pop()
    self.update([key, value])

  def push_named(self, module: Any, name: Any) -> None:
    require(type(module) is type(name) is str, 'a name is text')
    full_name = f'{module}.{name}'
    known = torch_objects.NAMES.get(full_name)
    self.stack.append(Unread(full_name) if known is None else known)

  def push_named_on_stack(self, _: Any) -> None:
    name, module = self.stack.pop(), self.stack.pop()
    self.push_named(module, name)

  def call(self, _: Any) -> None:
    arguments, function = self.stack.pop(), self.stack.pop()
    if type(function) is Unread:
      self.stack.append(Unread(function.name))
      return
    require(type(function) is torch_objects.Function, 'this is not called')
    require(type(arguments) is tuple, 'a call has a tuple of arguments')
    self.stack.append(function.call(*arguments))

  def new_object(self, arguments: int) -> None:
    del self.stack[len(self.stack) - arguments :]
    kind = self.stack.pop()
    require(type(kind) is Unread, 'this is no class of objects')
    self.stack.append(Unread(kind.name))

  def storage(self, _: Any) -> None:
    identifier = self.stack.pop()
    if type(identifier) is tuple and identifier[:1] == ('module',):
      # Before PyTorch 1.6, a class together with its source.
      self.stack.append(Unread(_class_name(identifier)))
      return
    storage = torch_objects.storage(identifier)
    first = self.storages.setdefault(storage.key, storage)
    require(first.nbytes == storage.nbytes, 'a storage has one size')
    self.stack.append(storage)

  def build(self, _: Any) -> None:
    # The attributes of an OrderedDict, which say a module's versions, or of
    # what is not read.
    self.stack.pop()
    self.top(dict)


def _class_name(identifier: tuple[Any, ...]) -> str:
  kind = identifier[1] if len(identifier) > 1 else None
  if not isinstance(kind, Unread):
    raise ValueError('a source is that of a class')
  return kind.name


_INSTRUCTIONS: dict[str, Callable[[_Machine, Any], None]] = {
  'MARK': _Machine.mark,
  'EMPTY_LIST': lambda machine, _: machine.stack.append([]),
  'EMPTY_DICT': lambda machine, _: machine.stack.append({}),
  'TUPLE': _Machine.marked_tuple,
  'TUPLE1': lambda machine, _: machine.last_as_tuple(1),
  'TUPLE2': lambda machine, _: machine.last_as_tuple(2),
  'TUPLE3': lambda machine, _: machine.last_as_tuple(3),
  'APPEND': lambda machine, _: machine.extend([machine.stack.pop()]),
  'APPENDS': lambda machine, _: machine.extend(machine.pop_marked()),
  'SETITEM': _Machine.set_item,
  'SETITEMS': lambda machine, _: machine.update(machine.pop_marked()),
  'BINPUT': _Machine.put,
  'LONG_BINPUT': _Machine.put,
  'MEMOIZE': _Machine.put,
  'BINGET': _Machine.get,
  'LONG_BINGET': _Machine.get,
  'GLOBAL': lambda machine, names: machine.push_named(*names),
  'STACK_GLOBAL': _Machine.push_named_on_stack,
  'REDUCE': _Machine.call,
  'BINPERSID': _Machine.storage,
  'BUILD': _Machine.build,
  'NEWOBJ': lambda machine, _: machine.new_object(1),
  'NEWOBJ_EX': lambda machine, _: machine.new_object(2),
  'EMPTY_SET': lambda machine, _: machine.stack.append(Unread('builtins.set')),
  'ADDITEMS': lambda machine, _: machine.extend(machine.pop_marked()),
  'FROZENSET': _Machine.marked_set,
}


_OPCODES = {
  opcode.code.encode('latin-1'): opcode
  for opcode in pickletools.opcodes
  if opcode.name in _LITERALS | _WITHOUT_EFFECT | {*_CONSTANTS, *_INSTRUCTIONS}
}


def _names(stream: io.BytesIO) -> tuple[str, str]:
  lines = stream.readline(), stream.readline()
  require(lines[1].endswith(b'\n'), 'a name does not end')
  module, name = (line.rstrip(b'\n').decode() for line in lines)
  return module, name


def _instructions(stream: io.BytesIO) -> Iterator[tuple[str, Any]]:
  """Names and arguments up to STOP; looks at no argument of unknown ones."""
  name = ''
  while name != 'STOP':
    code = stream.read(1)
    require(len(code) == 1, 'it ends too early')
    require(code in _OPCODES, f'the instruction {code!r} is not read')
    name, argument = _OPCODES[code].name, _OPCODES[code].arg
    if name == 'GLOBAL':
      yield name, _names(stream)
    else:
      yield name, argument.reader(stream) if argument else None


def read_object(
  stream: io.BytesIO, *, path: str
) -> tuple[Any, dict[str, torch_objects.Storage]]:
  """Interprets the object that starts at the stream's position.

  Leaves the stream behind that object.

  Args:
    stream: the bytes.
    path: what error texts call the file.

  Returns:
    The object, made of tuples, lists, dicts, numbers, bytes, text,
    `torch_objects.Tensor` and `torch_objects.Unread`; and the storages it
    names, by their keys.

  Raises:
    DataError: there is no whole object.
  """
  machine = _Machine()
  try:
    for name, argument in _instructions(stream):
      machine.step(name, argument)
    (value,) = machine.stack
    require(not machine.marked, 'a mark is left over')
  except (ValueError, TypeError, LookupError) as e:
    raise errors.DataError(
      f'{path} must hold whole objects, and before byte {stream.tell()} does '
      f'not: {str(e)[:_LONGEST_TEXT]}.'
    ) from e
  return value, machine.storages

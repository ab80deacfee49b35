"""Augmentation policies written as text: 'crop(4)|flip'.

Operations are in the order of application, with arguments by position or by
name, as in `randaugment(2, magnitude=9)`; pairs are written `(0.2, 1)`. The
table `OPERATIONS` has the function of each operation, whose keyword-only
parameters are the arguments.
"""

import ast
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from overlap.core import errors, lookup
from overlap.data.augment import draws

_HERE = 'overlap.data.augment'
OPERATIONS = {
  'none': f'{_HERE}.policy:identity',
  'cut': f'{_HERE}.geometry:random_cut',
  'crop': f'{_HERE}.geometry:random_crop',
  'flip': f'{_HERE}.geometry:random_flip',
  'resized_crop': f'{_HERE}.geometry:random_resized_crop',
  'color_jitter': f'{_HERE}.color:color_jitter',
  'grayscale': f'{_HERE}.color:grayscale',
  'blur': f'{_HERE}.blur:random_blur',
  'randaugment': f'{_HERE}.rand_augment:randaugment',
  'simclr': f'{_HERE}.simclr:simclr_view',
}

Augment = Callable[[jax.Array, jax.Array], jax.Array]


def identity(key: jax.Array, images: jax.Array) -> jax.Array:
  """Returns the images unchanged."""
  del key
  return images


# Cached, so that `jax.jit` gets the same function for the same text.
@functools.cache
def build(spec: str) -> Augment:
  """Returns the function of a policy.

  Args:
    spec: operations joined by '|', like 'crop(4)|flip', 'none',
      'flip|randaugment(2, 9)', 'simclr(strength=0.5)'.

  Returns:
    A pure function `(key, images) -> images`, images float32 `[batch,
    height, width, 1 or 3]` in [0, 1]. Example i's result depends only on the
    key, i and its own image.

  Raises:
    UsageError: the text is not a policy, an operation is unknown, or an
      argument is missing, unknown, of the wrong type or out of range.
  """
  steps = []
  for node in _operations(spec):
    _, operation, arguments = _step(node, spec)
    steps.append(functools.partial(operation, **arguments))

  def augment(key: jax.Array, images: jax.Array) -> jax.Array:
    draws.check_images(images)
    for place, step in enumerate(steps):
      images = step(jax.random.fold_in(key, place), images)
    return images

  # Tracing runs the checks of every operation now instead of in training.
  jax.eval_shape(
    augment,
    jax.eval_shape(lambda: jax.random.key(0)),
    jax.ShapeDtypeStruct((1, 1024, 1024, 3), jnp.float32),
  )
  return augment


def split(
  spec: str, count: int
) -> tuple[tuple[tuple[str, dict[str, Any]], ...], str]:
  """Splits the first operations from a policy.

  Args:
    spec: specification of a policy, see `build`.
    count: number of operations to split off.

  Returns:
    Names and explicit arguments of the first operations, and a policy of the
    others, 'none' if there are no others.

  Raises:
    UsageError: the policy is invalid, see `build`, or has fewer operations.
  """
  nodes = _operations(spec)
  if not 0 <= count <= len(nodes):
    raise errors.UsageError(
      f'Of the {len(nodes)} operations of {spec!r}, 0 to {len(nodes)} can be '
      f'taken, got {count}.'
    )
  first = []
  for node in nodes[:count]:
    name, _, arguments = _step(node, spec)
    first.append((name, arguments))
  rest = '|'.join(map(ast.unparse, nodes[count:])) or 'none'
  return tuple(first), rest if count else spec


def _operations(spec: str) -> list[ast.expr]:
  """Returns the operations' syntax trees, in order."""
  try:
    tree = ast.parse(spec.strip(), mode='eval').body
  except (SyntaxError, ValueError, RecursionError, MemoryError) as e:
    raise _no_policy(spec) from e
  nodes = []
  while isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.BitOr):
    nodes.append(tree.right)
    tree = tree.left
  return [tree, *reversed(nodes)]


def _step(node: ast.expr, spec: str) -> tuple[str, Augment, dict[str, Any]]:
  """Returns an operation's name, function and explicit arguments."""
  positional: list[Any] = []
  named: list[tuple[str, Any]] = []
  if isinstance(node, ast.Call):
    positional = [_value(arg, spec) for arg in node.args]
    named = [(k.arg or '', _value(k.value, spec)) for k in node.keywords]
    node = node.func
  if not isinstance(node, ast.Name) or '' in dict(named):
    raise _no_policy(spec)
  operation = lookup.lookup('augmentation', node.id, OPERATIONS)
  return node.id, operation, _bind(node.id, operation, positional, named)


def _value(node: ast.expr, spec: str) -> Any:
  """Evaluates a number, a string, or a tuple of them; refuses anything else."""
  if isinstance(node, ast.Tuple):
    return tuple(_value(item, spec) for item in node.elts)
  if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
    value = _value(node.operand, spec)
    if isinstance(value, int | float):
      return -value
  if isinstance(node, ast.Constant) and type(node.value) in (int, float, str):
    return node.value
  raise _no_policy(spec)


def _bind(
  name: str,
  operation: Augment,
  positional: list[Any],
  named: list[tuple[str, Any]],
) -> dict[str, Any]:
  """Returns arguments by name, checked against the operation's parameters."""
  parameters = {
    p.name: p
    for p in inspect.signature(operation).parameters.values()
    if p.kind is p.KEYWORD_ONLY
  }
  if len(positional) > len(parameters):
    raise errors.UsageError(
      f'{name} takes at most {len(parameters)} arguments '
      f'({_described(parameters)}), got {len(positional)}.'
    )
  bound = dict(zip(parameters, positional))
  for key, value in named:
    lookup.check_choice(f'argument of {name}', key, parameters)
    if key in bound:
      raise errors.UsageError(f'{name} got its argument {key!r} twice.')
    bound[key] = value
  for key, value in bound.items():
    _check_type(name, key, value, parameters[key].annotation)
  missing = [
    key
    for key, p in parameters.items()
    if p.default is p.empty and key not in bound
  ]
  if missing:
    raise errors.UsageError(
      f'{name} must be given {", ".join(missing)}; it takes '
      f'{_described(parameters)}.'
    )
  return bound


def _check_type(name: str, key: str, value: Any, wanted: Any) -> None:
  if wanted is float:
    right = isinstance(value, int | float)
  elif wanted in (int, str):
    right = isinstance(value, wanted)
  else:
    right = (
      isinstance(value, tuple)
      and len(value) == 2
      and all(isinstance(item, int | float) for item in value)
    )
  if not right:
    raise errors.UsageError(
      f'{key} of {name} must be {_type_name(wanted)}, got {value!r}.'
    )


def _type_name(wanted: Any) -> str:
  names = {float: 'a number', int: 'a whole number', str: 'a string'}
  return names.get(wanted, 'a pair of numbers')


def _described(parameters: Mapping[str, inspect.Parameter]) -> str:
  return (
    ', '.join(
      f'{key}: {_type_name(p.annotation)}' for key, p in parameters.items()
    )
    or 'none'
  )


def _no_policy(spec: str) -> errors.UsageError:
  return errors.UsageError(
    "An augmentation policy must be operations joined by '|', like "
    f"'crop(4)|flip', got {spec!r}. Operations: {', '.join(OPERATIONS)}."
  )

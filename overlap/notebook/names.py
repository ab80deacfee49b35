"""Lookup of attributes by name, with suggestions for unknown names."""

from collections.abc import Iterable

from overlap.core import errors, lookup


class NoSuchNameError(errors.UsageError, AttributeError):
  """Error for an unknown attribute, with a one-line message."""


def check_attribute(kind: str, name: str, choices: Iterable[str]) -> str:
  """Returns the name of an attribute if it is one of `choices`.

  Raises:
    NoSuchNameError: the name is not among `choices`; the message lists the
      choices and the nearest one.
    AttributeError: the name begins with '_', as do names that Python and
      notebooks probe for.
  """
  if name.startswith('_'):
    raise AttributeError(name)
  try:
    return lookup.check_choice(kind, name, choices)
  except errors.UsageError as e:
    raise NoSuchNameError(str(e)) from None

"""Attributes that are looked up by name; a miss lists the nearest."""

from collections.abc import Iterable

from overlap import errors, lookup


class NoSuchNameError(errors.UsageError, AttributeError):
  """An attribute that is not there, said as one line."""


def check(kind: str, name: str, choices: Iterable[str]) -> str:
  """Returns the name of an attribute where it is one of `choices`.

  Raises:
    NoSuchNameError: it is not; the text lists the choices and the nearest.
    AttributeError: it begins with '_': what Python and notebooks try.
  """
  if name.startswith('_'):
    raise AttributeError(name)
  try:
    return lookup.check(kind, name, choices)
  except errors.UsageError as e:
    raise NoSuchNameError(str(e)) from None

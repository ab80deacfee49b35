"""Errors that users can cause, each with its exit status.

Their message is one line with the rule, the value and the choices. The command
line prints it without a traceback, which is kept for errors in this package.
"""


def _escaped(character: str) -> str:
  return character.encode('unicode_escape').decode('ascii')


class OverlapError(Exception):
  """Base class of errors that are reported as one line."""

  exit_status = 1

  def __str__(self) -> str:
    line = ' '.join(super().__str__().split())
    # Text from a file must not move a terminal's cursor or change its colours.
    return ''.join(c if c.isprintable() else _escaped(c) for c in line)

  def _render_traceback_(self) -> list[str]:
    """Returns the one line that a notebook shows instead of a traceback."""
    return [f'{type(self).__name__}: {self}']


class DataError(OverlapError):
  """Error in data or results; exit status 1."""


class UsageError(OverlapError):
  """Error in flags or in a config; exit status 2."""

  exit_status = 2

"""The two kinds of error a user can cause, each with its exit status.

Both carry one line that gives the rule, the value got and the choices. The
command line prints that line alone; a traceback is kept for our own mistakes.
"""


def _escaped(character: str) -> str:
  return character.encode('unicode_escape').decode('ascii')


class OverlapError(Exception):
  """Base of every error that is reported as one line."""

  exit_status = 1

  def __str__(self) -> str:
    line = ' '.join(super().__str__().split())
    # What a file holds must not move a terminal's cursor or change its colours.
    return ''.join(c if c.isprintable() else _escaped(c) for c in line)

  def _render_traceback_(self) -> list[str]:
    """Returns the one line that a notebook shows, as the command line does."""
    return [f'{type(self).__name__}: {self}']


class DataError(OverlapError):
  """A fault in data or results: exit status 1."""


class UsageError(OverlapError):
  """A fault in flags or in a config: exit status 2."""

  exit_status = 2

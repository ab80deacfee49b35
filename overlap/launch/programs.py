"""Calls of other programs, whose answers are a few lines."""

import subprocess
from collections.abc import Sequence

from overlap import errors

# A queue that is asked again and again may now and then not answer.
PATIENCE = 10


def ask(words: Sequence[str]) -> str:
  """Runs a program and returns its output.

  Raises:
    DataError: there is no such program, or it fails; its last line is told.
  """
  try:
    done = subprocess.run(
      words,
      stdin=subprocess.DEVNULL,
      capture_output=True,
      text=True,
      errors='replace',
      check=False,
    )
  except OSError as e:
    raise errors.DataError(
      f'{words[0]} must be installed, got: {e.strerror}.'
    ) from e
  if done.returncode:
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    raise errors.DataError(
      f'{" ".join(words[:3])} must succeed, got exit status {done.returncode}: '
      f'{said[-1] if said else "nothing said"}'
    )
  return done.stdout


class Patience:
  """Bears a few things in a row that should not be, by their names."""

  def __init__(self) -> None:
    self._counts: dict[str, int] = {}

  def lost(self, name: str, *, again: bool) -> bool:
    """Counts; returns whether it was so too often in a row.

    Args:
      name: name of what should not be there.
      again: whether it is so now.
    """
    self._counts[name] = self._counts.get(name, 0) + 1 if again else 0
    return self._counts[name] > PATIENCE

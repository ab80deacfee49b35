"""Calls of other programs, such as those of job queues."""

import subprocess
from collections.abc import Sequence

from overlap.core import errors

# Consecutive failures to tolerate, since job queues occasionally don't answer.
PATIENCE = 10


def ask(words: Sequence[str]) -> str:
  """Runs a program and returns its output.

  Raises:
    DataError: the program is not installed, or it fails; the message has its
      last line of output.
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
  """Tolerates up to `PATIENCE` consecutive failures per name."""

  def __init__(self) -> None:
    self._counts: dict[str, int] = {}

  def lost(self, name: str, *, again: bool) -> bool:
    """Counts a failure, and returns whether there were too many in a row.

    Args:
      name: name of the failing item, such as a run.
      again: whether it failed again; otherwise the count restarts at 0.
    """
    self._counts[name] = self._counts.get(name, 0) + 1 if again else 0
    return self._counts[name] > PATIENCE

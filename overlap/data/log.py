"""Log lines on decisions about data, each written once."""

import functools

from absl import logging


@functools.cache
def once(line: str) -> None:
  """Logs a line that this process has not logged before."""
  logging.info('%s', line)

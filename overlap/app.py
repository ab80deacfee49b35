"""The edges of a run that every command shares: the log, the processes."""

import logging as std_logging

from absl import logging


def start_logging() -> None:
  """Short log lines on stderr: the time and the text."""
  logging.use_absl_handler()
  logging.set_verbosity(logging.INFO)
  logging.get_absl_handler().setFormatter(
    std_logging.Formatter('%(asctime)s %(message)s', '%H:%M:%S')
  )

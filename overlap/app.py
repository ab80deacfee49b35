"""The edges of a run that every command shares: the log, the processes."""

import logging as std_logging
import sys

from absl import flags, logging

from overlap import progress


def start_logging() -> None:
  """Short log lines on stderr: the time and the text."""
  if not flags.FLAGS.is_parsed():
    # Ours are parsed by each command; absl asks whether its own were.
    flags.FLAGS.mark_as_parsed()
  logging.use_absl_handler()
  # It says of every backend that is not there that it is not there.
  std_logging.getLogger('jax._src.xla_bridge').setLevel(std_logging.WARNING)
  # Of what we say ourselves.
  std_logging.getLogger('jax._src.distributed').setLevel(std_logging.WARNING)
  logging.set_verbosity(logging.INFO)
  logging.get_absl_handler().setFormatter(
    std_logging.Formatter('%(asctime)s %(message)s', '%H:%M:%S')
  )
  handler = logging.get_absl_handler().python_handler
  if handler.stream is sys.stderr and sys.stderr.isatty():
    handler.setStream(progress.BesideBars(sys.stderr))

"""Set-up that all commands share: logging and processes."""

import logging as std_logging
import sys

from absl import flags, logging

from overlap.core import progress


def start_logging() -> None:
  """Logs short lines to stderr: the time and the text."""
  if not flags.FLAGS.is_parsed():
    # Each command parses its own flags; absl checks that they were parsed.
    flags.FLAGS.mark_as_parsed()
  logging.use_absl_handler()
  # It logs every backend that is not available.
  std_logging.getLogger('jax._src.xla_bridge').setLevel(std_logging.WARNING)
  # It logs the start of processes, which the package logs itself.
  std_logging.getLogger('jax._src.distributed').setLevel(std_logging.WARNING)
  logging.set_verbosity(logging.INFO)
  logging.get_absl_handler().setFormatter(
    std_logging.Formatter('%(asctime)s %(message)s', '%H:%M:%S')
  )
  handler = logging.get_absl_handler().python_handler
  if handler.stream is sys.stderr and sys.stderr.isatty():
    handler.setStream(progress.BesideBars(sys.stderr))

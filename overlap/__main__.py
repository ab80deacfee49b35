"""Entry point of `overlap` and `python -m overlap`."""

import signal


def main() -> int:
  """Runs the command line; returns the exit status."""
  # Users should not see a traceback when they interrupt an import.
  handled = signal.getsignal(signal.SIGINT) is signal.default_int_handler
  if handled:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
  from overlap.cli import interrupts, streams
  from overlap.cli.main import main as run

  streams.prepare()
  if handled:
    interrupts.handle()
  try:
    status = run()
  finally:
    if handled:
      signal.signal(signal.SIGINT, signal.SIG_DFL)
  return streams.finish(status)


if __name__ == '__main__':
  raise SystemExit(main())

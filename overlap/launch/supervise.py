"""Program that runs one command and records its exit status.

  python supervise.py RESULT LOCK_FD CPUS COMMAND [ARGUMENT ...]

`supervised` starts it in its own session, with an acquired lock. The command
and its children inherit the lock, so that it is free once all of them have
ended in any way. RESULT is a JSON file with the exit status, written to a
temporary file and renamed; if it is absent and the lock is free, all processes
were killed. It imports no module of the project, since it lives as long as the
command.
"""

import json
import os
import signal
import subprocess
import sys


def main(result: str, lock: str, cpus: str, *command: str) -> None:
  """Runs the command; CPUS is '0,1,...', or '-' for all."""
  # The command gets these signals too, and this process waits for its end.
  for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, lambda *_: None)
  os.ftruncate(int(lock), 0)
  os.pwrite(int(lock), str(os.getpid()).encode(), 0)
  if cpus != '-' and hasattr(os, 'sched_setaffinity'):
    os.sched_setaffinity(0, map(int, cpus.split(',')))
  try:
    process = subprocess.Popen(
      command, stdin=subprocess.DEVNULL, pass_fds=[int(lock)]
    )
    status = process.wait()
  except OSError as error:
    print(f'{command[0]}: {error.strerror}', file=sys.stderr, flush=True)
    status = 127
  with open(f'{result}.partial', 'w') as f:
    json.dump({'exit_status': status}, f)
    f.flush()
    os.fsync(f.fileno())
  os.replace(f'{result}.partial', result)
  # Kills any remaining children of the command, and this process.
  os.killpg(0, signal.SIGKILL)


if __name__ == '__main__':
  main(*sys.argv[1:])

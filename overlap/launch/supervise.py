"""Runs one command, and notes how it ended even if nobody waits for it.

  python supervise.py RESULT LOCK_FD CPUS COMMAND [ARGUMENT ...]

Started by `supervised`, in a session of its own. The lock came with it, held;
the command and what it starts inherit it, so the lock is free when all of them
have ended, however that came about. RESULT is a JSON file with the exit status,
written aside and renamed; without one and with a free lock, all were killed.
No module of the project is imported: it is there as long as the command.
"""

import json
import os
import signal
import subprocess
import sys


def main(result: str, lock: str, cpus: str, *command: str) -> None:
  """See above; CPUS is '0,1,...', or '-' for all."""
  # The command hears of these itself, and this one waits for it.
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
  # What the command may have left behind, and this process, which is done.
  os.killpg(0, signal.SIGKILL)


if __name__ == '__main__':
  main(*sys.argv[1:])

"""Runs commands of `overlap`, each in a process of its own, without the wait.

  python zygote.py SCENARIOS.py MODULE ...

A process that has imported everything forks one for each command; importing
takes seconds, and there are hundreds. Requests and replies are lines of JSON.
With the shim preloaded, the N-th call to the file system can go wrong.
"""

import contextlib
import ctypes
import importlib
import importlib.util
import json
import os
import signal
import sys
import time


def main(scenarios: str, *modules: str) -> None:
  """Serves until the end of the input."""
  for module in modules:
    importlib.import_module(module)
  spec = importlib.util.spec_from_file_location('scenarios', scenarios)
  loaded = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(loaded)
  print(json.dumps('ready'), flush=True)
  for line in sys.stdin:
    print(json.dumps(_serve(json.loads(line), loaded)), flush=True)


def _serve(request: dict, scenarios) -> dict:
  began = time.monotonic()
  child = os.fork()
  if not child:
    _run(request, scenarios)
  if request.get('seconds') is not None:
    _kill(child, request['seconds'])
  _, status = os.waitpid(child, 0)
  return {
    'status': os.waitstatus_to_exitcode(status),
    'seconds': time.monotonic() - began,
  }


def _kill(child: int, seconds: float) -> None:
  """SIGKILLs a child some time from now, unless it ends before."""
  limit = time.monotonic() + seconds
  options = os.WEXITED | os.WNOHANG | os.WNOWAIT
  while (left := limit - time.monotonic()) > 0:
    if os.waitid(os.P_PID, child, options):
      return
    time.sleep(min(left, 0.005))
  os.kill(child, signal.SIGKILL)


def _run(request: dict, scenarios) -> None:
  """In the child: the command, and what goes wrong; never returns."""
  log = os.open(request['log'], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
  os.dup2(log, 1)
  os.dup2(log, 2)
  status = 70
  try:
    if fault := request.get('fault'):
      flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
      ctypes.CDLL(None).fault_arm(
        fault['below'].encode(), fault['mode'], ctypes.c_long(fault['call']),
        fault['error'], os.open(fault['trace'], flags, 0o644),
      )  # fmt: skip
    status = scenarios.run(request['words'])
  except BaseException:
    sys.excepthook(*sys.exc_info())
  finally:
    with contextlib.suppress(BaseException):
      sys.stdout.flush()
      sys.stderr.flush()
    os._exit(status)


if __name__ == '__main__':
  main(*sys.argv[1:])

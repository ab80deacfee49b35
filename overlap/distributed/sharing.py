"""Distributes models of a study among groups of processes."""

import time
from collections.abc import Iterator

import numpy as np
from absl import logging

from overlap.distributed import jobs, peers, processes

# Seconds between a waiting group's requests for a job.
_POLL_SECONDS = 0.5
_NONE_LEFT, _WAIT = -1, -2


def share_out(stage: str, needs: jobs.Jobs) -> Iterator[str]:
  """Yields the jobs of this process's group one by one.

  All processes call it alike and iterate to the end: then all jobs are done, by
  any group. A job counts as done when its group asks for the next. A single
  group gets all jobs in order.

  Args:
    stage: name of the stage, used once in a run.
    needs: jobs, each with the jobs that it depends on, in an order that
      respects the dependencies.
  """
  if processes.model_groups() == 1:
    yield from needs
    return
  names = list(needs)
  finished: list[str] = []
  waiting = False
  with processes.in_groups() as group:
    while True:
      choice = _WAIT
      if processes.is_primary():
        choice = _choose(stage, needs, names, finished)
      (choice,) = processes.broadcast(np.array([choice], np.int32)).tolist()
      finished = []
      if choice == _NONE_LEFT:
        return
      if choice == _WAIT:
        if not waiting:
          logging.info('group %d waits for others to %s', group.number, stage)
        waiting = True
        time.sleep(_POLL_SECONDS)
        continue
      waiting = False
      yield names[choice]
      finished = [names[choice]]


def _choose(
  stage: str, needs: jobs.Jobs, names: list[str], finished: list[str]
) -> int:
  name = peers.next_job(stage, needs, finished)
  if name is None:
    return _NONE_LEFT
  return _WAIT if name == jobs.WAIT else names.index(name)

"""Models of a study divided among groups of processes."""

import time
from collections.abc import Iterator

import numpy as np
from absl import logging

from overlap import jobs, parallel, peers

# How often a group that has to wait for another one looks again, in seconds.
_POLL_SECONDS = 0.5
_NONE_LEFT, _WAIT = -1, -2


def share_out(stage: str, needs: jobs.Jobs) -> Iterator[str]:
  """Yields what this process is to do, one after another, in its group.

  All processes call it alike, and go through it to the end: then everything is
  done, by whichever group. What a group does is taken to be done when it asks
  for more. Where there is one group alone, it is given everything in order.

  Args:
    stage: named once a run.
    needs: for each job, those that must be done before it; in an order that
      respects this.
  """
  if parallel.model_groups() == 1:
    yield from needs
    return
  names = list(needs)
  finished: list[str] = []
  waiting = False
  with parallel.in_groups() as group:
    while True:
      choice = _WAIT
      if parallel.is_primary():
        choice = _choose(stage, needs, names, finished)
      (choice,) = parallel.broadcast(np.array([choice], np.int32)).tolist()
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

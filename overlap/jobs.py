"""Assignment of jobs to processes that work side by side."""

import threading
from collections.abc import Mapping, Sequence

# What is to be done, in order of preference, and what of it each needs first.
Jobs = Mapping[str, Sequence[str]]

# There is something left, but it needs what others are still at.
WAIT = ''


class Board:
  """Jobs taken and jobs finished, stage by stage."""

  def __init__(self) -> None:
    """Nothing is."""
    self._lock = threading.Lock()
    self._taken: dict[str, set[str]] = {}
    self._finished: dict[str, set[str]] = {}

  def next(self, stage: str, jobs: Jobs, finished: Sequence[str]) -> str | None:
    """Takes a job; whoever has taken one asks again when it is finished.

    Args:
      stage: names the jobs.
      jobs: the same from all who ask; a need that is none of them counts as
        finished. Somebody can always go on, unless they need each other in a
        circle.
      finished: what whoever asks has finished.

    Returns:
      The job, WAIT, or None when all are finished.
    """
    with self._lock:
      taken = self._taken.setdefault(stage, set())
      done = self._finished.setdefault(stage, set())
      done.update(finished)
      if done >= jobs.keys():
        return None
      job = choose(jobs, taken, done)
      if job != WAIT:
        taken.add(job)
      return job


def choose(jobs: Jobs, taken: set[str], finished: set[str]) -> str:
  """The first job that nobody has and that needs nothing more, or WAIT."""
  for job, needs in jobs.items():
    if job not in taken and finished >= jobs.keys() & set(needs):
      return job
  return WAIT

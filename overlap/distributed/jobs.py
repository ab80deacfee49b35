"""Assignment of jobs to processes that run concurrently."""

import threading
from collections.abc import Mapping, Sequence

# Jobs in order of preference, each with the jobs that it depends on.
Jobs = Mapping[str, Sequence[str]]

# Answer when the remaining jobs depend on unfinished ones.
WAIT = ''


class Board:
  """Jobs started and jobs finished, by stage."""

  def __init__(self) -> None:
    """Creates a board without any job started."""
    self._lock = threading.Lock()
    self._taken: dict[str, set[str]] = {}
    self._finished: dict[str, set[str]] = {}

  def next(self, stage: str, jobs: Jobs, finished: Sequence[str]) -> str | None:
    """Starts a job; the caller asks again when it has finished it.

    Args:
      stage: name of the stage.
      jobs: jobs of the stage, the same for all callers; dependencies that are
        not among them count as finished. Without cyclic dependencies there is
        always a caller that can go on.
      finished: jobs that the caller has finished.

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
  """Returns the first job not started whose needs are finished, or WAIT."""
  for job, needs in jobs.items():
    if job not in taken and finished >= jobs.keys() & set(needs):
      return job
  return WAIT

"""Commands that are looked after: what is left of one that has ended."""

import pathlib

import psutil
import pytest

from overlap.launch import executor, supervised, units


def ended(pool, run):
  """Looks until a run has ended, without a pause."""
  while (outcome := pool.poll(run)) is None:
    pass
  return outcome


@pytest.mark.parametrize('status', [0, 1])
def test_no_process_is_left_of_one_that_has_ended(tmp_path, status):
  pool = supervised.Supervised()
  before = psutil.Process().children()
  for attempt in range(1, 21):
    run = executor.Run(units.Unit('u', ()), tmp_path, attempt, {})
    pool.start(
      run, ['sh', '-c', f'exit {status}'], cwd=pathlib.Path.cwd(), env={}
    )
    assert ended(pool, run).kind == ('failed' if status else 'done')
    # Not even one that waits to be asked how it ended.
    assert psutil.Process().children() == before

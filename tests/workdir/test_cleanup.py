"""What killed runs left goes; what others still write, and all else, stays."""

import os

import pytest

from overlap.core import locks
from overlap.workdir import cleanup

TOKEN = '0123456789ab'
LEFT = (
  f'.config.json.{TOKEN}.partial', f'tables/.pairs.csv.{TOKEN}.partial',
  f'models/a/.model.json.{TOKEN}.partial',
  f'predictions/d/s/.m.{TOKEN}.partial/logits/c/0',
  f'.tables.{TOKEN}.partial/tables/pairs.csv',
  f'timings/.train.json.{TOKEN}.partial',
  'models/a/checkpoint.orbax-checkpoint-tmp/x',
)  # fmt: skip
KEPT = (
  'config.json', 'predictions/d/s/m/logits/c/0', '.mine', 'a.partial',
  # A user's own, by its name or its place.
  '.download.partial', '.mine.partial/x', 'tables/.pairs.csv.partial',
  'predictions/d/s/.m.copy-1.partial/x', 'models/a/mine.orbax-checkpoint-tmp/x',
  f'notes/.a.{TOKEN}.partial', f'predictions/.a.{TOKEN}.partial',
  f'models/a/b/.c.{TOKEN}.partial',
)  # fmt: skip


def make(workdir, names, *, age):
  for name in names:
    path = workdir / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
  for path in [workdir, *workdir.rglob('*')]:
    then = path.stat().st_mtime - age
    os.utime(path, (then, then))


def remaining(workdir):
  found = {str(p.relative_to(workdir)) for p in workdir.rglob('*')}
  return {name for name in (*LEFT, *KEPT) if name in found}


@pytest.mark.parametrize(
  ('age', 'alone', 'kept'),
  [
    (10, True, set(KEPT)),
    (10, False, {*KEPT, *LEFT}),  # Another run may need them.
    (-10, True, {*KEPT, *LEFT}),  # Written since this run began.
  ],
)
def test_what_was_left_goes(tmp_path, age, alone, kept):
  make(tmp_path, (*LEFT, *KEPT), age=age)
  with locks.workdir_lock(tmp_path, ['tables']):
    if not alone:
      (tmp_path / locks.FOLDER / 'elsewhere.json').write_text('{}')
    cleanup.remove(tmp_path)
    assert remaining(tmp_path) == kept


def test_nothing_goes_through_a_link(tmp_path):
  workdir, mine = tmp_path / 'w', tmp_path / 'mine'
  kept = (f'.a.{TOKEN}.partial/x', f's/.a.{TOKEN}.partial/x', 'x')
  make(mine, kept, age=10)
  for name in ('models', 'predictions/d', 'figures'):
    (workdir / name).parent.mkdir(parents=True, exist_ok=True)
    (workdir / name).symlink_to(mine)
  (workdir / f'.b.{TOKEN}.partial').symlink_to(mine)
  (workdir / f'.c.{TOKEN}.partial').symlink_to(mine / 'x')
  with locks.workdir_lock(workdir, ['tables']):
    os.utime(next((workdir / locks.FOLDER).iterdir()), (2**31, 2**31))
    cleanup.remove(workdir)
  assert all((mine / name).exists() for name in kept)
  assert (workdir / f'.b.{TOKEN}.partial').is_symlink()
  assert (workdir / f'.c.{TOKEN}.partial').is_symlink()


def test_a_workdir_may_itself_be_a_link(tmp_path):
  workdir = tmp_path / 'link'
  (tmp_path / 'w').mkdir()
  workdir.symlink_to(tmp_path / 'w')
  make(workdir, LEFT, age=10)
  with locks.workdir_lock(workdir, ['tables']):
    cleanup.remove(workdir)
  assert remaining(workdir) == set()

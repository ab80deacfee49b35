"""What killed runs left goes; what others still write, and all else, stays."""

import os

import pytest

from overlap import claims
from overlap.study import leftovers

LEFT = (
  '.config.json.1.partial', 'tables/.pairs.csv.2.partial',
  'models/a/.model.json.3.partial', 'predictions/d/s/.m.4.partial/logits/c/0',
  '.tables.5.partial/tables/pairs.csv', 'timings/.train.json.6.partial',
  'models/a/checkpoint.orbax-checkpoint-tmp/x',
)  # fmt: skip
KEPT = ('config.json', 'predictions/d/s/m/logits/c/0', '.mine', 'a.partial')


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
    (-10, True, {*KEPT, *LEFT[:-1]}),  # Written since this run began.
  ],
)
def test_what_was_left_goes(tmp_path, age, alone, kept):
  make(tmp_path, (*LEFT, *KEPT), age=age)
  with claims.held(tmp_path, ['tables']):
    if not alone:
      (tmp_path / claims.FOLDER / 'elsewhere.json').write_text('{}')
    leftovers.remove(tmp_path)
    assert remaining(tmp_path) == kept

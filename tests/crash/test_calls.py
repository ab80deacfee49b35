"""The store, its examples, tables and claims, with each call going wrong.

Calls to the file system that change something fail, or are the last one of
their process: some of them, and with OVERLAP_FAULTS=100 every one.
"""

import collections
import errno
import os
import pathlib
import shutil

import numpy as np
import pytest

FAULTS = (
  ('KILL_BEFORE', 0), ('KILL_AFTER', 0), ('KILL_HALF', 0), ('SHORT', 0),
  ('FAIL_ONCE', errno.EIO), ('FAIL_ON', errno.ENOSPC),
  ('FAIL_ON', errno.EACCES),
)  # fmt: skip
OLD, NEW = (
  f"m [{n}]\ntables {n[0]} ['{n}'] analysis.json done.json one.csv one.parquet"
  for n in ('1.0', '2.0')
)
# What is there before, what is done, what may be seen then, and at last.
ACTIONS = {
  'examples': ([], ['examples'], {''}, ''),
  'write': (['examples'], ['write', '2'], {'', 'm [2.0]'}, 'm [2.0]'),
  'replace': (
    ['examples', 'write 1', 'tables 1'], ['replace', '2'],
    {OLD, OLD.replace('m [1.0]', 'm [2.0]')}, OLD.replace('m [1.0]', 'm [2.0]'),
  ),
  'tables': (
    ['examples', 'write 2', 'tables 1'], ['tables', '2'],
    {OLD.replace('m [1.0]', 'm [2.0]'), NEW}, NEW,
  ),
  'claim': (['examples'], ['claim'], {''}, ''),
}  # fmt: skip
SOME = 5
CHUNKS = 5  # Of an array, as scenarios.py has them.
survived: collections.Counter[str] = collections.Counter()


@pytest.fixture(scope='module')
def zygote(make_zygote, shim):
  if shim is None:
    pytest.skip('no C compiler, or not Linux')
  yield make_zygote(
    'overlap.store', 'overlap.workdir.publish', 'overlap.core.locks', 'pyarrow'
  )
  print(f'survived: {dict(survived)}')


def look(zygote, workdir):
  done = zygote.run('look', workdir)
  assert done.status == 0, done.text
  return done.text.rstrip('\n')


def files(workdir):
  return {
    str(path.relative_to(workdir)): path.read_bytes()
    for path in workdir.rglob('*')
    if path.is_file()
  }


def chosen(count, name):
  """The calls that go wrong: all, or the last and some before it."""
  if int(os.environ.get('OVERLAP_FAULTS') or 0) >= 100 or count <= SOME:
    return range(1, count + 1)
  rng = np.random.default_rng([ord(letter) for letter in name])
  some = rng.choice(np.arange(1, count), SOME - 1, replace=False)
  return [*sorted(map(int, some)), count]


@pytest.mark.parametrize('name', ACTIONS)
@pytest.mark.parametrize(('mode', 'error'), FAULTS)
def test_any_call_may_go_wrong(zygote, tmp_path, name, mode, error):
  before, words, seen, last = ACTIONS[name]
  given, workdir, whole = (tmp_path / x for x in ('given', 'w', 'whole'))
  given.mkdir()
  for action in before:
    word, *values = action.split()
    assert zygote.run(word, given, *values).status == 0
  shutil.copytree(given, whole)
  action, *values = words
  done = zygote.run(action, whole, *values, below=whole)
  assert done.status == 0, done.text
  assert look(zygote, whole) == last
  expected = files(whole)
  for call in chosen(len(done.calls), f'{name} {mode} {error}'):
    shutil.copytree(given, workdir)
    faulty = zygote.run(
      action, workdir, *values, below=workdir, mode=mode, call=call, error=error
    )
    what = f'{faulty.calls[call - 1 : call]}: {faulty.text}'
    # Of the chunks written at once several may make their common folder, so
    # there may be fewer calls than there were.
    came = len(faulty.calls) >= call
    assert came or call - len(faulty.calls) < CHUNKS, what
    got = look(zygote, workdir)
    assert got in seen, what
    if mode.startswith('KILL') and came:
      assert faulty.status == -9, what
    elif faulty.status:
      assert (came, mode[:4]) == (True, 'FAIL'), what
      faulty.check_one_line()
      assert str(workdir) in faulty.text
    else:
      assert got == last, what
    if got != last or action != 'write':
      again = zygote.run(action, workdir, *values)
      assert again.status == 0, f'{what}; then {again.text}'
      assert files(workdir) == expected, what
    survived['kills' if mode.startswith('KILL') else 'faults'] += came
    shutil.rmtree(pathlib.Path(workdir))

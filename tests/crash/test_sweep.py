"""A sweep whose launcher, and whose units, are killed at random moments.

OVERLAP_KILLS=100 launch/test.sh tests/crash/test_sweep.py
"""

import contextlib
import json
import os
import pathlib
import shlex
import shutil
import signal
import stat
import threading
import time

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
KILLS = max(2, int(os.environ.get('OVERLAP_KILLS') or 10) // 5)
UNITS = ('base', 'vit', 'dropout')
# In the place of `overlap`: takes its time, and notes if it is not alone.
UNIT = """#!/usr/bin/env bash
for word; do
  case "$word" in --model=*) name="${word#--model=}" ;; esac
done
exec 9>"$FOLDER/$name.alone"
flock -n 9 || echo "$name" >>"$FOLDER/twice"
echo "$name" >>"$FOLDER/begun"
sleep 0.3
echo "made of $name" >"$FOLDER/$name.partial"
mv "$FOLDER/$name.partial" "$FOLDER/$name.made"
"""


@pytest.fixture(scope='module')
def zygote(make_zygote):
  if not shutil.which('flock'):
    pytest.skip('the unit needs flock')
  return make_zygote('overlap.launch.run', 'overlap.cli.main', 'ml_collections')


def running(workdir):
  """The process group of a unit that runs, 0 where none does."""
  for lock in sorted((workdir / 'sweep' / 'units').glob('*/lock')):
    # The lock may be of one that has ended, whose number is free.
    try:
      group = int(lock.read_text())
      said = pathlib.Path(f'/proc/{group}/cmdline').read_bytes()
    except (OSError, ValueError):
      continue
    if str(lock.parent).encode() in said:
      return group
  return 0


def kill_unit(workdir, moment, ended, killed):
  """SIGKILLs a unit some time after one has begun."""
  while not ended.is_set():
    if running(workdir):
      ended.wait(moment)
      if group := running(workdir):
        with contextlib.suppress(ProcessLookupError):  # It was quicker.
          os.killpg(group, signal.SIGKILL)
          killed.append(group)
      return
    time.sleep(0.02)


def test_each_unit_is_done_and_never_twice_at_once(
  zygote, tmp_path, monkeypatch
):
  workdir, folder = tmp_path / 'w', tmp_path / 'made'
  folder.mkdir()
  program = tmp_path / 'unit'
  program.write_text(UNIT.replace('$FOLDER', str(folder)))
  program.chmod(program.stat().st_mode | stat.S_IXUSR)
  sweep = tmp_path / 'sweep.py'
  sweep.write_text(
    'from overlap.config import sweeps\n\n\ndef get_sweep():\n'
    f'  return sweeps.models{UNITS!r}\n'
  )
  words = [
    'sweep', f'--config={ROOT}/configs/quickstart.py', f'--sweep={sweep}',
    f'--workdir={workdir}', '--devices=cpu', '--retries=1000',
    f'--program={shlex.quote(str(program))}',
  ]  # fmt: skip

  def check(done):
    assert done.status == 0, done.text
    for name in UNITS:
      assert (folder / f'{name}.made').read_text() == f'made of {name}\n'
      state = workdir / 'sweep' / 'units' / name / 'state.json'
      assert json.loads(state.read_text())['state'] == 'done'
    left = [p for p in workdir.rglob('.*') if p.name.endswith('.partial')]
    assert left == []
    shutil.rmtree(workdir)

  whole = zygote.run(*words)
  check(whole)
  rng = np.random.default_rng(0)
  launchers, units = 0, []
  while launchers + len(units) < KILLS:
    # Now the one, now the other.
    seconds = rng.uniform(0, whole.seconds) if rng.integers(2) else None
    ended = threading.Event()
    killer = threading.Thread(
      target=kill_unit, args=(workdir, rng.uniform(0, 0.4), ended, units)
    )
    if seconds is None:
      killer.start()
    done = zygote.run(*words, seconds=seconds)
    ended.set()
    if seconds is None:
      killer.join()
    launchers += done.status == -9
    if done.status != -9:
      check(done)
  check(zygote.run(*words))
  assert not (folder / 'twice').exists()
  print(f'sweep: {launchers} launchers and {len(units)} units killed')

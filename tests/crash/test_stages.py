"""A study that is killed, or whose disk fails, ends with the same bytes.

  OVERLAP_KILLS=100 OVERLAP_FAULTS=100 launch/test.sh tests/crash/test_stages.py

Each stage of a tiny study, and `overlap ingest` into its workdir, is SIGKILLed
at moments drawn over its own duration, and started again, until it ends; then
from its beginning again, until there were enough kills. So is each at calls to
the file system that are drawn, or these fail, and the disk stays full. `state`
says what is compared with a run to which nothing has happened.
"""

import errno
import importlib.util
import os
import pathlib
import shutil

import numpy as np
import pytest

HERE = pathlib.Path(__file__).resolve().parent
KILLS = int(os.environ.get('OVERLAP_KILLS') or 10)
FAULTS = int(os.environ.get('OVERLAP_FAULTS') or 10)
KINDS = (
  ('FAIL_ON', errno.ENOSPC), ('KILL_AFTER', 0), ('FAIL_ONCE', errno.EIO),
  ('KILL_HALF', 0), ('FAIL_ON', errno.EACCES), ('SHORT', 0),
)  # fmt: skip
# The longer a stage takes and the more it writes, the more kills it gets.
SHARES = {'train': 3, 'predict': 3, 'ingest': 1, 'analyse': 2, 'report': 1}
CONFIG = f'--config={HERE / "tiny.py"}'

pytestmark = pytest.mark.slow


def _load(name):
  spec = importlib.util.spec_from_file_location(name, HERE / f'{name}.py')
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


state = _load('state')


class Stages:
  """The stages of one study, in their order, and what each gives."""

  def __init__(self, folder: pathlib.Path, zygote):
    self.folder, self.zygote = folder, zygote
    self.rng = np.random.default_rng(0)
    rng = np.random.default_rng(1)
    self.files = []
    for name in ('brought_1', 'brought_2'):
      self.files.append(folder / 'brought' / f'{name}.npy')
      self.files[-1].parent.mkdir(exist_ok=True)
      np.save(self.files[-1], rng.normal(size=(200, 10)).astype(np.float32))
    # What each takes when it has been compiled, and the folder after it.
    self.seconds: dict[str, float] = {}
    self.calls: dict[str, int] = {}
    self.whole: dict[str, pathlib.Path] = {}

  def run(self, stage, workdir, **options):
    if stage == 'ingest':
      words = [
        'ingest', '--dataset=mnist_5k', '--split=test',
        f'--predictions={self.folder / "brought"}',
      ]  # fmt: skip
    else:
      words = [stage, CONFIG]
    return self.zygote.run(*words, f'--workdir={workdir}', **options)

  def before(self, stage):
    """The folder that a stage starts with; None for none."""
    order = list(SHARES)
    at = order.index(stage)
    return self.whole[order[at - 1]] if at else None

  def fresh(self, stage, name):
    workdir = self.folder / name
    shutil.rmtree(workdir, ignore_errors=True)
    before = self.before(stage)
    if before:
      shutil.copytree(before, workdir)
    return workdir

  def uninterrupted(self, stage):
    """Runs a stage, and those before it, once; later calls do nothing."""
    if stage in self.whole:
      return
    for before in list(SHARES)[: list(SHARES).index(stage)]:
      self.uninterrupted(before)
    for _ in range(2):  # What is compiled for the first has been compiled.
      workdir = self.fresh(stage, f'whole-{stage}')
      below = workdir if self.zygote.has_shim else None
      done = self.run(stage, workdir, below=below)
      assert done.status == 0, done.text
    self.seconds[stage], self.whole[stage] = done.seconds, workdir
    self.calls[stage] = len(done.calls)

  def kill(self, stage, count):
    """Kills a stage so many times; returns how often it came to its end."""
    kills = ends = 0
    workdir = self.fresh(stage, 'killed')
    while kills < count or not ends:
      moment = self.rng.uniform(0, self.seconds[stage])
      done = self.run(stage, workdir, seconds=moment if kills < count else None)
      if done.status == -9:
        kills += 1
        self.check(workdir)
        continue
      assert done.status == 0, done.text
      ends += 1
      self.compare(stage, workdir)
      last, workdir = workdir, self.fresh(stage, f'killed-{ends % 2}')
    return kills, ends, last

  def fault(self, stage, kind, error):
    """Has one call go wrong, drawn from all; returns whether it came to it."""
    workdir = self.fresh(stage, 'faulty')
    call = int(self.rng.integers(1, self.calls[stage] + 1))
    done = self.run(
      stage, workdir, below=workdir, mode=kind, call=call, error=error
    )
    what = f'{stage}, {kind}: {done.calls[call - 1 : call]}\n{done.text}'
    came = len(done.calls) >= call
    if kind.startswith('KILL') and came:
      assert done.status == -9, what
    elif done.status:
      assert kind.startswith('FAIL'), what
      done.check_one_line()
    self.check(workdir)
    again = self.run(stage, workdir)
    assert again.status == 0, f'{what}; then {again.text}'
    self.compare(stage, workdir)
    return came

  def compare(self, stage, workdir):
    """Nothing differs from the stage's own end."""
    got, wanted = state.of(workdir), state.of(self.whole[stage])
    assert state.differences(got, wanted) == []

  def check(self, workdir):
    """`overlap verify` holds, or there is nothing."""
    if workdir.exists():
      done = self.zygote.run('verify', f'--workdir={workdir}')
      assert done.status == 0, done.text


@pytest.fixture(scope='module')
def stages(tmp_path_factory, make_zygote):
  folder = tmp_path_factory.mktemp('kills')
  cache = os.environ.get('OVERLAP_TEST_CACHE') or str(folder / 'compiled')
  zygote = make_zygote(
    'overlap.cli.main', 'overlap.cli.study', 'overlap.cli.ingest',
    'overlap.stages.run', 'overlap.stages.verify', 'overlap.ingest', 'pyarrow',
    'overlap.data.mnist_5k', 'orbax.checkpoint', 'overlap.models.resnet',
    'overlap.train.supervised',
    JAX_COMPILATION_CACHE_DIR=cache,
    JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS='0',
    JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES='0',
  )  # fmt: skip
  return Stages(folder, zygote)


def share(total, stage):
  return max(1, round(total * SHARES[stage] / sum(SHARES.values())))


@pytest.mark.parametrize('stage', SHARES)
def test_once_more_changes_no_byte(stages, stage):
  stages.uninterrupted(stage)
  workdir = stages.fresh(stage, 'twice')
  for _ in range(2):
    assert stages.run(stage, workdir).status == 0
  stages.compare(stage, workdir)


@pytest.mark.parametrize('stage', SHARES)
def test_kills_at_random_moments_change_no_byte(stages, stage):
  stages.uninterrupted(stage)
  count = share(KILLS, stage)
  kills, ends, workdir = stages.kill(stage, count)
  print(f'{stage}: {kills} kills, {ends} ends, all the same', flush=True)
  if stage == 'report':
    whole = stages.fresh(stage, 'redrawn')
    assert stages.run(stage, whole).status == 0
    pages = [state.redrawn(stages.zygote, x, whole) for x in (workdir, whole)]
    assert pages[0] == pages[1]


@pytest.mark.parametrize('stage', SHARES)
def test_a_call_that_goes_wrong_changes_no_byte(stages, stage):
  if not stages.zygote.has_shim:
    pytest.skip('no C compiler, or not Linux')
  stages.uninterrupted(stage)
  count = share(FAULTS, stage)
  kinds = [KINDS[i % len(KINDS)] for i in range(count)]
  came = 0
  for kind in kinds:
    came += stages.fault(stage, *kind)
  print(f'{stage}: {count} faults, {came} of them came, all the same')

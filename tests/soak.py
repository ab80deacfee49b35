"""Hours of predict, analyse and report on a store larger than the memory.

  python tests/soak.py --minutes=60 --memory_gb=4

One process repeats, as long as told: predict one of the models anew, over its
record in the store; all tables asked for, from every stored logit; the figures
and the page. The store (82 models, 50,000 examples, 1,000 classes: 16 GB) is
made first, in --workdir, and used again where it is there.

The process gets --memory_gb, by a cgroup where one can be made (the kernel then
ends it above that, page cache and all), else by ending it when its resident
memory is seen above that. What it holds is noted twice a second and printed, a
line a round. Exit status 1 where it failed or was ended, where tables of two
rounds differ, or where anything grows from the rounds after the first to the
last ones: memory (by more than --growth_mb), open files, threads, temporary
files, disk.
"""

import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[1]
DATASET, SPLIT, PREDICTED = 'random', 'test', 'predicted'
STAGES = ('predict', 'analyse', 'report')
MIB = 2**20
# Of a pool that is ending, some may still be there when they are counted.
THREADS = 2
RANK = 16
BLOCK = 2048


# What the process itself does.


def make_examples(count: int, classes: int) -> Any:
  """Small grey images of noise; the label is in none of them."""
  import numpy as np

  from overlap.data.examples import ArrayExamples

  rng = np.random.default_rng(0)
  return ArrayExamples(
    dataset=DATASET,
    split=SPLIT,
    ids=np.char.mod('test/%07d', np.arange(count)),
    class_names=tuple(f'class {i}' for i in range(classes)),
    images=rng.integers(0, 256, (count, 8, 8, 1), dtype=np.uint8),
    labels=rng.integers(0, classes, count).astype(np.int32),
  )


def write_model(folder: pathlib.Path, index: int, examples: Any) -> None:
  """Logits that models share in part: low rank, and noise of their own.

  Of 1,000 classes they get 75 to 80 % right, as ImageNet's models do.
  """
  import numpy as np

  from overlap import store

  name = f'model {index:02d}'
  where = {'dataset': DATASET, 'split': SPLIT}
  if store.Store(folder).record(DATASET, SPLIT, name) is not None:
    return
  shape = (len(examples), len(examples.class_names))
  shared = np.random.default_rng(1).normal(size=(RANK, shape[1])) / 2
  own_rng = np.random.default_rng([2, index])
  own = own_rng.normal(size=(RANK, shape[1])) / 3
  basis = (shared + own).astype(np.float32)
  all_labels = examples.labels()
  with store.RecordWriter(folder, **where, model=name) as writer:
    writer.create('logits', shape=shape, dtype=np.float32)
    for start in range(0, shape[0], BLOCK):
      labels = all_labels[start : start + BLOCK]
      common = np.random.default_rng([3, start])
      factors = common.normal(size=(len(labels), RANK)).astype(np.float32)
      logits = factors @ basis
      logits += 4 * own_rng.random(logits.shape, np.float32)
      logits[np.arange(len(labels)), labels] += 10.4 + 0.005 * index
      writer.write('logits', start, logits)
    kinds = ('REINIT', 'HPARAM', 'ARCH', 'FRAMEWORK', 'DATASET')
    writer.finish({'category': kinds[index % len(kinds)]})


def predictor(examples: Any) -> tuple[Any, Any]:
  """A small network's forward function and random variables."""
  import jax
  import numpy as np

  from overlap.config import schema
  from overlap.predict import forward as predict_forward
  from overlap.study import specs

  study = schema.study()
  study.data.dataset = DATASET
  study.models.base = schema.model(
    'resnet', stage_sizes=(1,), block='basic', width=8, stem='small'
  )
  chosen = schema.resolve(study)['models']['base']
  model = specs.build_model(chosen, num_classes=len(examples.class_names))
  model_input = specs.model_input(chosen, examples)
  variables = jax.jit(model.init)(
    jax.random.key(0), np.zeros(model_input.shape(), np.float32)
  )
  return predict_forward.forward_function(model, model_input), dict(variables)


def work(args: argparse.Namespace) -> None:
  """Makes the store, then repeats; tells of each stage in a line of JSON."""
  from etils import epath

  from overlap.core import malloc
  from overlap.predict import to_store
  from overlap.stages import analyse, report

  malloc.share_one_heap()  # As the command `overlap` does.
  folder = epath.Path(args.workdir)
  examples = make_examples(args.examples, args.classes)
  to_store.ensure_examples(folder, examples)
  for index in range(args.models - 1):
    write_model(pathlib.Path(folder), index, examples)
    tell(stored=index + 1)
  forward, variables = predictor(examples)

  def predicted() -> None:
    to_store.predict(
      workdir=folder, name=PREDICTED, forward=forward, variables=variables,
      examples=examples, batch_size=500, num_threads=2, arrays=('logits',),
      record={'category': 'ARCH'}, replace=True,
    )  # fmt: skip

  options = {'resamples': args.resamples, 'memory_mb': args.analysis_mb}
  if args.tables:
    options['tables'] = args.tables.split(',')

  def analysed() -> None:
    request = analyse.store_request(
      folder, DATASET, SPLIT, 'model 00', options=options
    )
    analyse.analyse(folder, request, again=True)

  acts = (predicted, analysed, lambda: report.write_report(folder))
  end, number = time.monotonic() + 60 * args.minutes, 0
  while number < args.rounds or time.monotonic() < end:
    for stage, act in zip(STAGES, acts):
      start = time.monotonic()
      act()
      tell(round=number, stage=stage, seconds=time.monotonic() - start)
    number += 1


def tell(**what: Any) -> None:
  print(json.dumps(what), flush=True)
  sys.stdin.readline()  # Until what it holds now has been noted.


# What watches it.


class Limit:
  """A limit of a process's memory: by the kernel, or by watching."""

  def __init__(self, gigabytes: float):
    self.bytes = int(gigabytes * 2**30)
    self._folder: pathlib.Path | None = None
    self.how = 'by watching its resident memory'

  def impose(self, pid: int) -> None:
    """Moves a process into a group with the limit, where one can be made."""
    for folder, name, how in self._groups(pid):
      with contextlib.suppress(OSError):
        folder.mkdir()
        self._folder = folder
        (folder / name).write_text(str(self.bytes))
        (folder / 'cgroup.procs').write_text(str(pid))
        self.how = f'by a cgroup ({how})'
        return
      self.lift()

  def lift(self) -> None:
    """Removes the group, once the process has ended."""
    if self._folder is not None:
      with contextlib.suppress(OSError):
        self._folder.rmdir()
      self._folder = None

  def most(self) -> int | None:
    """The most that the group has held, page cache included, in bytes."""
    for name in ('memory.peak', 'memory.max_usage_in_bytes'):
      with contextlib.suppress(OSError, TypeError, ValueError):
        return int((self._folder / name).read_text())  # type: ignore[operator]
    return None

  def _groups(self, pid: int) -> Iterator[tuple[pathlib.Path, str, str]]:
    base = pathlib.Path('/sys/fs/cgroup')
    for line in pathlib.Path('/proc/self/cgroup').read_text().splitlines():
      _, kinds, path = line.split(':', 2)
      name = f'overlap-soak-{pid}'
      if kinds == '':
        for root in (base, base / 'unified'):
          if 'memory' in _words(root / 'cgroup.controllers'):
            yield root / path[1:] / name, 'memory.max', 'memory.max'
      elif 'memory' in kinds.split(','):
        limit = 'memory.limit_in_bytes'
        yield base / 'memory' / path[1:] / name, limit, limit


def _words(file: pathlib.Path) -> list[str]:
  return file.read_text().split() if file.exists() else []


class Watch(threading.Thread):
  """Notes the resident memory of a process; ends it above a limit."""

  def __init__(self, pid: int, limit: int):
    super().__init__(daemon=True)
    self._pid, self._limit = pid, limit
    self.peak, self.killed, self.over = 0, False, threading.Event()

  def run(self) -> None:
    while not self.over.wait(0.5):
      with contextlib.suppress(OSError):
        held = resident(self._pid)
        self.peak = max(self.peak, held)
        if held > self._limit:
          self.killed = True
          os.kill(self._pid, signal.SIGKILL)

  def take(self) -> int:
    """The peak since this was last called."""
    peak, self.peak = max(self.peak, resident(self._pid)), 0
    return peak


def resident(pid: int) -> int:
  """Bytes of a process's resident memory."""
  pages = int(pathlib.Path(f'/proc/{pid}/statm').read_text().split()[1])
  return pages * os.sysconf('SC_PAGE_SIZE')


def processor_seconds(pid: int) -> float:
  """What a process has had of the processors so far."""
  text = pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2]
  ticks = sum(map(int, text.split()[11:13]))
  return ticks / os.sysconf('SC_CLK_TCK')


def held(pid: int, workdir: pathlib.Path, temporary: pathlib.Path) -> dict:
  """What a process holds now, and what it has left on disk."""
  inside = [path for path in workdir.rglob('*') if path.is_file()]
  left = [path for path in temporary.rglob('*') if path.is_file()]
  partial = [p for p in workdir.rglob('.*') if p.name.endswith('.partial')]
  tables = hashlib.sha256()
  for path in sorted((workdir / 'tables').glob('*.csv')):
    tables.update(path.name.encode() + path.read_bytes())
  return {
    'rss': resident(pid),
    'cpu': processor_seconds(pid),
    'files': len(os.listdir(f'/proc/{pid}/fd')),
    'threads': len(os.listdir(f'/proc/{pid}/task')),
    'temporary': len(left) + len(partial),
    'disk': sum(path.stat().st_size for path in inside + left),
    'tables': tables.hexdigest(),
  }


def watch(args: argparse.Namespace, temporary: pathlib.Path) -> list[dict]:
  """Runs the process to its end; returns a row a round.

  Raises:
    SystemExit: it failed, or was ended.
  """
  process = subprocess.Popen(
    [sys.executable, __file__, *sys.argv[1:], '--work',
     f'--workdir={args.workdir}'],
    cwd=ROOT,
    env=os.environ | {
      'TMPDIR': str(temporary), 'JAX_PLATFORMS': 'cpu',
      'PYTHONPATH': f'{ROOT}:{os.environ.get("PYTHONPATH", "")}',
    },
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
  )  # fmt: skip
  limit = Limit(args.memory_gb)
  limit.impose(process.pid)
  watching = Watch(process.pid, limit.bytes)
  watching.start()
  print(f'{args.memory_gb:g} GB at most, {limit.how}', flush=True)
  rows: list[dict] = []
  row: dict = {}
  used = 0.0
  for line in process.stdout or ():
    if not line.startswith('{'):
      continue
    told = json.loads(line)
    if 'stage' in told:
      row[told['stage']] = told['seconds']
    if told.get('stage') == STAGES[-1]:
      row |= held(process.pid, pathlib.Path(args.workdir), temporary)
      before, used = used, row['cpu']
      rows.append(row | {'peak': watching.take(), 'cpu': used - before})
      print(text(rows[-1], len(rows)), flush=True)
      row = {}
    process.stdin.write('\n')
    process.stdin.flush()
  status = process.wait()
  watching.over.set()
  most = limit.most()
  limit.lift()
  if most is not None:
    print(f'at most {most / MIB:.0f} MiB with the page cache')
  if status or not rows:
    ended = 'ended above its memory' if watching.killed else 'failed'
    raise SystemExit(f'it {ended}: exit status {status}, {len(rows)} rounds')
  return rows


_COLUMNS = (
  'round predict  analyse  report processors |   rss   peak     | files '
  'threads temporary |    disk'
)


def text(row: dict, number: int) -> str:
  return (
    f'{number:5d} {row["predict"]:6.1f}s {row["analyse"]:6.1f}s '
    f'{row["report"]:6.1f}s {row["cpu"]:9.1f}s | {row["rss"] / MIB:5.0f} '
    f'{row["peak"] / MIB:6.0f} MiB | {row["files"]:5d} {row["threads"]:7d} '
    f'{row["temporary"]:9d} | {row["disk"] / 1e6:8.1f} MB'
  )


def faults(rows: list[dict], growth_mb: float) -> Iterator[str]:
  """What differs between rounds, or grows from the second to the last."""
  if len({row['tables'] for row in rows}) > 1:
    yield 'the tables of two rounds differ'
  later = rows[1:]
  third = max(1, len(later) // 3)
  if len(later) < 2:
    return
  allowed = {
    'rss': growth_mb * MIB,
    'files': 0,
    'threads': THREADS,
    'temporary': 0,
    'disk': 0.001 * later[0]['disk'],
  }
  for name, most in allowed.items():
    first, last = (
      statistics.median(row[name] for row in part)
      for part in (later[:third], later[-third:])
    )
    if last - first > most:
      yield f'{name} grew from {first:.0f} to {last:.0f}'


def parse() -> argparse.Namespace:
  parser = argparse.ArgumentParser()
  parser.add_argument('--minutes', type=float, default=60)
  parser.add_argument('--rounds', type=int, default=3, help='at least')
  parser.add_argument('--memory_gb', type=float, default=4)
  parser.add_argument('--growth_mb', type=float, default=64)
  parser.add_argument('--models', type=int, default=82)
  parser.add_argument('--examples', type=int, default=50_000)
  parser.add_argument('--classes', type=int, default=1000)
  parser.add_argument('--tables', default='', help='all by default')
  parser.add_argument('--resamples', type=int, default=1000)
  parser.add_argument('--analysis_mb', type=int, default=256)
  parser.add_argument('--workdir', default='', help='a temporary one if empty')
  parser.add_argument('--work', action='store_true', help=argparse.SUPPRESS)
  return parser.parse_args()


def main() -> None:
  args = parse()
  if args.work:
    work(args)
    return
  with tempfile.TemporaryDirectory(prefix='overlap-soak-') as folder:
    temporary = pathlib.Path(folder) / 'tmp'
    temporary.mkdir()
    args.workdir = args.workdir or str(pathlib.Path(folder) / 'w')
    shutil.rmtree(pathlib.Path(args.workdir) / 'tables', ignore_errors=True)
    print(
      f'{args.models} models, {args.examples} examples, {args.classes} classes'
    )
    print(_COLUMNS)
    rows = watch(args, temporary)
  found = list(faults(rows, args.growth_mb))
  print('\n'.join([_COLUMNS, *(text(r, i + 1) for i, r in enumerate(rows))]))
  print(f'{len(rows)} rounds, {"; ".join(found) or "nothing grew"}')
  raise SystemExit(int(bool(found)))


if __name__ == '__main__':
  main()

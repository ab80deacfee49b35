"""What a zygote's children do: a command, or one thing of the store."""

import importlib.util
import pathlib
import sys

import numpy as np
import pandas as pd

SHAPE = (40, 3)
IDS = [f'id-{index}' for index in range(SHAPE[0])]


def run(words: list[str]) -> int:
  """Does it; returns the exit status."""
  if words[0] == 'sweep':
    return _sweep(words[1:])
  if words[0] in ACTIONS:
    from overlap.core import errors

    try:
      ACTIONS[words[0]](*words[1:])
    except errors.OverlapError as e:  # As the command line does.
      print(f'overlap: {e}', file=sys.stderr)
      return e.exit_status
    return 0
  from overlap.cli import main

  return main.main(words)


def _sweep(words: list[str]) -> int:
  """launch/sweep.py, which is a script."""
  root = pathlib.Path(__file__).resolve().parents[2]
  spec = importlib.util.spec_from_file_location(
    'launch_sweep', root / 'launch' / 'sweep.py'
  )
  script = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(script)
  return script.main(words)


def _write(workdir: str, value: str, *, replace: bool = False) -> None:
  """A record of the model `m`, all of whose numbers are the same."""
  from overlap import store
  from overlap.store import schema

  schema.CHUNK_BYTES = 128  # So that a few rows are a chunk.
  with store.RecordWriter(
    workdir, dataset='d', split='s', model='m', replace=replace
  ) as writer:
    writer.create('logits', shape=SHAPE, dtype=np.float32)
    writer.write('logits', 0, np.full(SHAPE, float(value), np.float32))
    writer.finish({'value': value})


def _replace(workdir: str, value: str) -> None:
  _write(workdir, value, replace=True)


def _examples(workdir: str) -> None:
  from overlap import store

  labels = np.arange(SHAPE[0]) % SHAPE[1]
  store.write_examples(
    workdir, dataset='d', split='s', ids=IDS, labels=labels,
    class_names=['a', 'b', 'c'],
  )  # fmt: skip


def _tables(workdir: str, value: str) -> None:
  from etils import epath

  from overlap.workdir import publish

  publish.publish(
    epath.Path(workdir),
    {'value': value},
    {'one': pd.DataFrame({'value': [float(value)] * 3})},
    {'value': value},
  )


def _claim(workdir: str) -> None:
  from overlap.core import locks

  with locks.workdir_lock(workdir, ['tables'], wait=False):
    pass


def _draw(workdir: str) -> None:
  """The page alone, which notes no time."""
  from overlap import report
  from overlap.workdir import layout

  figures = layout.read_config(workdir)['report']['figures']
  report.write_report(workdir, figures=figures)


def _look(workdir: str) -> None:
  """Prints what a reader sees: the faults, and whose numbers there are."""
  from overlap import store
  from overlap.core import errors, files

  seen = [*store.check_store(workdir)]
  reader = store.Store(workdir)
  for place in reader.splits():
    assert len(reader.examples(*place)) == SHAPE[0]
    for model in reader.models(*place):
      values = np.unique(reader.read(*place, model)).tolist()
      seen.append(f'{model} {values}')
  folder = pathlib.Path(workdir) / 'tables'
  if folder.is_dir():
    try:
      said = files.read_json(folder / 'analysis.json')['value']
    except errors.DataError:
      said = 'nothing'
    names = sorted(p.name for p in folder.iterdir() if p.name[0] != '.')
    values = sorted({p.read_text().split()[1] for p in folder.glob('*.csv')})
    seen.append(f'tables {said} {values} {" ".join(names)}')
  print('\n'.join(seen))


ACTIONS = {
  'write': _write,
  'replace': _replace,
  'examples': _examples,
  'tables': _tables,
  'claim': _claim,
  'draw': _draw,
  'look': _look,
}

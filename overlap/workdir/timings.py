"""Time and memory of each stage of a study, recorded in the workdir.

Each entry is a file, `timings/STAGE[.SPLIT][.MODEL].json`, so that concurrent
runs in one workdir do not overwrite each other's; `timings.json` joins them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from absl import logging
from etils import epath

from overlap.core import checksums, errors, files, provenance, wording

_AGAIN = 'delete it; it holds times alone, which no result depends on'
# Number of a stage's longest models to name.
_LONGEST = 3

Entry = Mapping[str, Any]


def add(path: epath.PathLike, entry: Entry) -> None:
  """Writes an entry, replacing an older one of its stage, model and split.

  Args:
    path: path of the workdir.
    entry: `stage`, `seconds`, `finished` (the time), `peak_memory_bytes`, and
      `model` and `split`, which may be None.
  """
  path = epath.Path(path)
  name = '.'.join(
    files.encode_name(str(entry[field]))
    for field in ('stage', 'split', 'model')
    if entry.get(field)
  )
  checksums.write_json(path / 'timings' / f'{name}.json', entry)
  joined = read_timings(path)
  while True:
    checksums.write_json(path / 'timings.json', joined)
    # Another run may have added an entry meanwhile: repeat until nothing new is
    # found, so that the last writer has joined all entries.
    again = read_timings(path)
    if again == joined:
      return
    joined = again


def read_timings(path: epath.PathLike) -> dict[str, Any]:
  """Returns all entries, as `stages`, and the peak memory of any process.

  Damaged files are left out, with a warning, since a study can go on without.

  Args:
    path: path of the workdir.
  """
  folder = epath.Path(path) / 'timings'
  found = [
    entry
    for file in (folder.glob('*.json') if folder.exists() else ())
    if (entry := _read(file))
  ]
  peaks = [entry.get('peak_memory_bytes', 0) for entry in found]
  return {
    'stages': sorted(found, key=_order),
    'peak_memory_bytes': max(peaks, default=0),
  }


def _read(file: epath.Path) -> dict[str, Any]:
  """Returns the contents of a file; {} if it is damaged."""
  try:
    return checksums.read_json(file, _AGAIN)
  except errors.DataError as e:
    logging.warning('%s', e)
    return {}


def _order(entry: Entry) -> tuple[str, ...]:
  fields = ('finished', 'stage', 'model', 'split')
  return tuple(str(entry.get(field) or '') for field in fields)


def summary(
  entries: Sequence[Entry], stages: Sequence[str], seconds: float
) -> list[str]:
  """Returns a line for each stage of a run, and one for the total.

  Args:
    entries: entries that the run has added, as for `add`.
    stages: stages that were run, in order.
    seconds: total time of the run.
  """
  lines = []
  for stage in stages:
    own = [entry for entry in entries if entry['stage'] == stage]
    lines.append(f'{stage:8} {_stage(own) if own else "nothing left to do"}')
  peak = wording.size(provenance.peak_memory_bytes())
  return [*lines, f'{"in all":8} {wording.duration(seconds)}, at most {peak}']


def _stage(entries: Sequence[Entry]) -> str:
  total = wording.duration(sum(entry['seconds'] for entry in entries))
  peak = wording.size(max(entry['peak_memory_bytes'] for entry in entries))
  text = f'{total}, at most {peak} so far'
  by_model: dict[str, float] = {}
  for entry in entries:
    if name := entry.get('model'):
      by_model[name] = by_model.get(name, 0.0) + entry['seconds']
  longest = sorted(by_model, key=lambda name: -by_model[name])[:_LONGEST]
  if not longest:
    return text
  named = ', '.join(
    f'{name} {wording.duration(by_model[name])}' for name in longest
  )
  many = f'{len(by_model)} model{"s" if len(by_model) > 1 else ""}'
  return f'{text}; {many}, longest: {named}'

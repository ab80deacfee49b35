"""What a workdir holds, but for what two runs of it rightly differ in.

Compared byte by byte: all of `predictions`, `tables`, `figures`, `models/*/
model.json`. Of the rest:

- `config.json` without the time at which it was made;
- `models/*/checkpoint` by its arrays, bit by bit: Orbax gives files random
  names and notes the time;
- `models/*/metrics_*.csv` without rates and waits, which are times;
- `report/index.html` once it is drawn with the same times (see `redrawn`), and
  that its checksum in `report/done.json` is right;
- `timings.json`, `timings/`, TensorBoard's files: not at all, for they hold
  nothing but times and what else is in the metrics.
"""

import io
import json
import pathlib

import numpy as np
import pandas as pd
from etils import epath

from overlap.core import checksums
from overlap.models.checkpoints import orbax_folder

MEASURED = ('step', 'accuracy', 'loss', 'grad_norm')
UNTIMED = ('timings', 'timings.json', 'sweep')


def of(workdir: pathlib.Path) -> dict[str, bytes]:
  """Each thing that must be the same, by its path."""
  found = {}
  for path in sorted(workdir.rglob('*')):
    name = path.relative_to(workdir)
    if name.parts[0] in UNTIMED or 'tensorboard' in name.parts:
      continue
    if name.parts[0] == 'models' and 'checkpoint' in name.parts[2:3]:
      continue
    if path.is_dir():
      # An empty one may be left, as of a run that has ended.
      continue
    found[str(name)] = _content(path)
  for folder in workdir.glob('models/*/checkpoint'):
    for leaf, value in orbax_folder.load(folder).items():
      name = f'{folder.relative_to(workdir)}:{leaf} {value.shape}'
      found[name] = np.ascontiguousarray(value).tobytes()
  return found


def _content(path: pathlib.Path) -> bytes:
  content = path.read_bytes()
  if path.name == 'config.json':
    said = json.loads(content)
    # Times, and what is told of the other two.
    for field in ('created', 'checksum'):
      said.pop(field, None)
    return json.dumps(said).encode()
  if path.match('metrics_*.csv'):
    table = pd.read_csv(io.BytesIO(content), dtype=str)
    return table[[*MEASURED]].to_csv().encode()
  if path.name == 'index.html':
    return b''  # See `redrawn`.
  if path.match('report/done.json'):
    names = sorted(checksums.read_json(path, '')['files'])
    return json.dumps(
      [names, *checksums.changed(epath.Path(path.parent), '')]
    ).encode()
  return content


def redrawn(zygote, workdir: pathlib.Path, like: pathlib.Path) -> bytes:
  """The page of a workdir with the times of another; changes the workdir."""
  for name in ('timings.json', 'config.json'):
    (workdir / name).write_bytes((like / name).read_bytes())
  (workdir / 'report/index.html').unlink()
  for folder in (workdir / 'timings').iterdir():
    folder.unlink()
  code = zygote.run('draw', workdir)
  assert code.status == 0, code.text
  return (workdir / 'report/index.html').read_bytes()


def differences(got: dict[str, bytes], wanted: dict[str, bytes]) -> list[str]:
  """What is there once, or differs."""
  return sorted(
    name
    for name in got.keys() | wanted.keys()
    if got.get(name) != wanted.get(name)
  )

"""A small study and its files, which every case of bad input is tried on.

Nothing here runs a model: a workdir with predictions, its config, a tree of
images, weights that fit.
"""

import dataclasses
import json
import os
import pathlib
import shutil
import stat
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from PIL import Image

from overlap import ingest

CONFIG = '''"""A model that is not trained, on images in a folder beside."""
import pathlib
from overlap.config import schema as overlap_config

HERE = pathlib.Path(__file__).resolve().parent

def get_config(arg=''):
  config = overlap_config.study()
  config.data.dataset = 'image_folder'
  config.data.data_dir = str(HERE / 'images')
  config.data.splits.heldout = 'test'
  config.models.base = overlap_config.model(
    'resnet', stage_sizes=(1,), block='basic', width=4, stem='small'
  )
  config.models.other = config.models.base.copy_and_resolve_references()
  config.models.other.seed = 1
  return config
'''
IDS = [f'image {i}' for i in range(12)]
LABELS = np.arange(12) % 3
CLASSES = ('circle', 'square', 'star')
Words = Sequence[object]


@dataclasses.dataclass(frozen=True)
class Case:
  """One thing that is wrong.

  Attributes:
    make: from the arena to a command's words, or to a function to call.
    status: what the command exits with.
    told: what its one line says, among other things.
  """

  make: Callable[['Arena'], Words | Callable[[], object]]
  status: int
  told: Sequence[str]


@dataclasses.dataclass
class Arena:
  """Where cases are tried.

  Attributes:
    folder: of everything.
    workdir: a folder of a study with predictions of three models.
    case: a folder for one case's files, empty when it starts.
  """

  folder: pathlib.Path
  workdir: pathlib.Path
  case: pathlib.Path

  @property
  def fresh(self) -> pathlib.Path:
    """A workdir that is not there."""
    return self.folder / 'fresh'

  @property
  def config(self) -> pathlib.Path:
    return self.folder / 'config.py'

  def begin(self) -> None:
    """Makes room for another case."""
    for folder in (self.case, self.fresh):
      shutil.rmtree(folder, ignore_errors=True)
    self.case.mkdir()

  def file(self, name: str, content: bytes | str = b'') -> pathlib.Path:
    path = self.case / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
      content = content.encode()
    path.write_bytes(content)
    return path

  def json(self, name: str, value) -> pathlib.Path:
    return self.file(name, json.dumps(value))

  def npy(self, name: str, values, **options) -> pathlib.Path:
    path = self.case / name
    np.save(path, values, **options)
    return path

  def csv(self, name: str, **columns) -> pathlib.Path:
    path = self.case / name
    pd.DataFrame(columns).to_csv(path, index=False)
    return path

  def study(self, *words: object, command: str = 'train') -> Words:
    """A command on the study, in a workdir that is not there."""
    return [command, f'--config={self.config}', f'--workdir={self.fresh}'] + [
      *words
    ]

  def configured(self, body: str, *words: object) -> Words:
    """`overlap train` by a config file of these lines."""
    return ['train', f'--config={self.file("c.py", body)}',
            f'--workdir={self.fresh}', *words]  # fmt: skip

  def changed(self, lines: str, *words: object) -> Words:
    """`overlap train` by the study's config with further lines."""
    text = CONFIG.replace(
      '  return config', f'{lines}\n  return config'
    ).replace('parent\n', 'parent.parent\n', 1)
    return self.configured(text, *words)

  def weights(self, path: object) -> Words:
    """`overlap train` from a checkpoint."""
    return self.study(f'--config.models.base.init.checkpoint={path}')

  def ingested(self, path: object, *words: object) -> Words:
    """`overlap ingest` of a file, into the split that is there.

    What has no ids is taken by row order, so that its other faults show.
    """
    return ['ingest', f'--workdir={self.workdir}', '--dataset=shapes',
            '--split=test', f'--predictions={path}', '--by_order',
            *words]  # fmt: skip

  def tree(self, **images: object) -> Words:
    """`overlap train` on a tree of images in the case's folder."""
    return self.study(f'--config.data.data_dir={self.case}')

  def image(self, name: str, size: int = 8) -> pathlib.Path:
    path = self.case / name
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(path, size)
    return path


def picture(path: pathlib.Path, size: int = 8) -> None:
  values = np.arange(size * size, dtype=np.uint8).reshape(size, size)
  Image.fromarray(values).save(path)


def make(folder: pathlib.Path) -> Arena:
  """Makes the study's config, images, weights and stored predictions."""
  arena = Arena(folder, folder / 'w', folder / 'case')
  arena.begin()
  arena.config.write_text(CONFIG)
  for split in ('train', 'test'):
    for name in CLASSES:
      inside = folder / 'images' / split / name
      inside.mkdir(parents=True)
      for i in range(4):
        picture(inside / f'{i}.png')
  rng = np.random.default_rng(0)
  labels = arena.csv('labels.csv', id=IDS, label=LABELS)
  for model in 'abc':
    logits = rng.normal(size=(12, 3)).astype(np.float32)
    path = arena.case / f'{model}.npz'
    np.savez(path, logits=logits, ids=IDS)
    ingest.ingest(
      ingest.Request(
        workdir=arena.workdir, dataset='shapes', split='test',
        predictions=str(path), labels=str(labels),
      )
    )  # fmt: skip
  arena.begin()
  return arena


def snapshot(*folders: pathlib.Path) -> dict[str, tuple]:
  """All that is in folders: names, modes, contents, where links lead."""
  found = {}
  for folder in folders:
    for path in [folder, *sorted(folder.rglob('*'))]:
      if path.is_symlink():
        found[str(path)] = ('link', os.readlink(path))
      elif path.is_dir():
        found[str(path)] = ('folder', stat.S_IMODE(path.stat().st_mode))
      elif path.is_file():
        found[str(path)] = ('file', path.read_bytes())
  return found


def remove(folder: pathlib.Path) -> None:
  shutil.rmtree(folder)

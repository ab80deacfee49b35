"""Commands as a user types them, and a few files of predictions."""

import dataclasses
import pathlib

import numpy as np
import pandas as pd
import pytest

from overlap.cli import main as cli


@dataclasses.dataclass
class Done:
  """What a command came to."""

  status: int
  out: str
  err: str

  @property
  def fault(self) -> str:
    """The one line of a command that failed."""
    assert self.status in (1, 2), self
    lines = [x for x in self.err.splitlines() if x.startswith('overlap: ')]
    assert len(lines) == 1, self.err
    assert 'Traceback' not in self.err
    return lines[0]


@pytest.fixture
def overlap(capsys):
  """Runs `overlap WORDS` in this process."""

  def run(*words) -> Done:
    status = cli.main([str(word) for word in words])
    captured = capsys.readouterr()
    return Done(status, captured.out, captured.err)

  return run


@dataclasses.dataclass
class Files:
  """Predictions of some models over 300 examples of three classes."""

  folder: pathlib.Path
  workdir: pathlib.Path
  ids: list[str]
  labels: np.ndarray
  logits: dict[str, np.ndarray]

  def hard(self, model: str, **more) -> pathlib.Path:
    columns = {'id': self.ids, 'predicted': self.logits[model].argmax(axis=1)}
    path = self.folder / f'{model}.csv'
    pd.DataFrame(columns | more).to_csv(path, index=False)
    return path

  def soft(self, model: str) -> pathlib.Path:
    path = self.folder / f'{model}.npz'
    np.savez(path, logits=self.logits[model], ids=self.ids)
    return path

  def confidence(self, model: str) -> np.ndarray:
    values = np.exp(self.logits[model])
    return (values / values.sum(axis=1, keepdims=True)).max(axis=1)

  @property
  def known(self) -> list[str]:
    """The flags that every `ingest` has here."""
    return [
      f'--workdir={self.workdir}', '--dataset=shapes', '--split=test',
      f'--labels={self.folder}/labels/labels.csv',
    ]  # fmt: skip


@pytest.fixture
def predictions(tmp_path) -> Files:
  rng = np.random.default_rng(0)
  rows, classes = 300, 3
  labels = rng.integers(classes, size=rows)
  ids = [f'image {i}' for i in range(rows)]
  folder = tmp_path / 'files'
  (folder / 'labels').mkdir(parents=True)
  pd.DataFrame({'id': ids, 'label': labels}).to_csv(
    folder / 'labels' / 'labels.csv', index=False
  )
  logits = {}
  for name, strength in (('a', 2.0), ('b', 1.5), ('c', 1.8), ('d', 0.5)):
    values = rng.normal(size=(rows, classes))
    values[np.arange(rows), labels] += strength
    logits[name] = values.astype(np.float32)
  return Files(folder, tmp_path / 'w', ids, labels, logits)


def tree(folder: pathlib.Path) -> dict[str, bytes]:
  return {
    str(path.relative_to(folder)): path.read_bytes()
    for path in sorted(folder.rglob('*'))
    if path.is_file()
  }


@pytest.fixture
def untouched():
  """The files below a folder, to compare before and after."""
  return tree

"""Predictions of one made-up model, written as every format has them."""

import dataclasses
import gzip
import json
import pathlib
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy

from overlap import ingest, store

DATASET, SPLIT = 'shapes', 'test'


@dataclasses.dataclass
class Case:
  """Examples, a model's predictions on them, and where both may go.

  Attributes:
    folder: for files.
    workdir: of the store.
    ids: `[rows]`.
    labels: int64 `[rows]`.
    class_names: `[classes]`.
    logits: float32 `[rows, classes]`.
  """

  folder: pathlib.Path
  workdir: pathlib.Path
  ids: np.ndarray
  labels: np.ndarray
  class_names: tuple[str, ...]
  logits: np.ndarray

  @property
  def probabilities(self) -> np.ndarray:
    shifted = np.exp(self.logits - self.logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)

  @property
  def predicted(self) -> np.ndarray:
    return self.logits.argmax(axis=1)

  @property
  def confidence(self) -> np.ndarray:
    return self.probabilities.max(axis=1)

  def store_examples(self) -> None:
    """Puts the examples into the store, without any model."""
    store.write_examples(
      self.workdir, dataset=DATASET, split=SPLIT, ids=self.ids,
      labels=self.labels, class_names=self.class_names,
    )  # fmt: skip

  def request(self, path, **fields) -> ingest.Request:
    known = {'workdir': self.workdir, 'dataset': DATASET, 'split': SPLIT}
    # Files of every format are tried, many of which have no ids.
    known['by_order'] = True
    return ingest.Request(predictions=str(path), **(known | fields))

  def ingest(self, path, **fields) -> list[ingest.Ingested]:
    return ingest.ingest(self.request(path, **fields))

  def read(self, model: str, name: str = 'logits') -> np.ndarray:
    return store.Store(self.workdir).read(DATASET, SPLIT, model, name)

  def models(self) -> list[str]:
    return store.Store(self.workdir).models(DATASET, SPLIT)

  def in_order(self, order: np.ndarray) -> 'Case':
    """The same model with its rows, and their ids, in another order."""
    return dataclasses.replace(
      self, ids=self.ids[order], labels=self.labels[order],
      logits=self.logits[order],
    )  # fmt: skip

  def file(self, name: str, content: bytes | str = b'') -> pathlib.Path:
    path = self.folder / name
    if isinstance(content, str):
      content = content.encode()
    path.write_bytes(content)
    return path

  def csv(self, name: str, **columns) -> pathlib.Path:
    path = self.folder / name
    pd.DataFrame(columns).to_csv(path, index=False)
    return path

  def npy(self, name: str, values) -> pathlib.Path:
    np.save(self.folder / name, values)
    return self.folder / name

  def json(self, name: str, value) -> pathlib.Path:
    return self.file(name, json.dumps(value))

  def scores(self, kind: str = 'logit') -> dict[str, np.ndarray]:
    """Columns `kind_0`, `kind_1`, ..."""
    values = {
      'logit': self.logits,
      'prob': self.probabilities,
      'log_prob': np.log(self.probabilities.astype(np.float64)),
    }[kind]
    return {f'{kind}_{i}': values[:, i] for i in range(values.shape[1])}

  def tree(self) -> dict[str, bytes]:
    """Every file of the workdir, by its relative path."""
    return {
      str(path.relative_to(self.workdir)): path.read_bytes()
      for path in sorted(self.workdir.rglob('*'))
      if path.is_file()
    }


def _npz(case: Case) -> pathlib.Path:
  path = case.folder / 'm.npz'
  np.savez(path, logits=case.logits, ids=case.ids, labels=case.labels)
  return path


def _safetensors(case: Case) -> pathlib.Path:
  path = case.folder / 'm.safetensors'
  # Text is no tensor: ids that are whole numbers are.
  ids = np.array([int(name) for name in case.ids])
  safetensors.numpy.save_file(
    {'logits': case.logits, 'ids': ids, 'labels': case.labels}, path
  )
  return path


def _parquet(case: Case) -> pathlib.Path:
  path = case.folder / 'm.parquet'
  columns = {'id': case.ids, 'label': case.labels, **case.scores()}
  pd.DataFrame(columns).to_parquet(path)
  return path


def _timm_csv(case: Case) -> pathlib.Path:
  return case.csv('m.csv', filename=case.ids, **case.scores())


def _timm_json(case: Case) -> pathlib.Path:
  rows = zip(case.ids, case.logits.tolist())
  return case.json('m.json', {name: {'logit': row} for name, row in rows})


def _timm_parquet(case: Case) -> pathlib.Path:
  path = case.folder / 'm.parquet'
  frame = pd.DataFrame({'filename': case.ids, 'logit': list(case.logits)})
  frame.set_index('filename').to_parquet(path)
  return path


def _lists_parquet(case: Case) -> pathlib.Path:
  path = case.folder / 'm.parquet'
  frame = pd.DataFrame({'id': case.ids, 'logits': list(case.logits)})
  frame.to_parquet(path)
  return path


def _json_lines(case: Case) -> pathlib.Path:
  rows = zip(case.ids.tolist(), case.labels.tolist(), case.logits.tolist())
  lines = [
    json.dumps({'id': name, 'label': label, 'logits': row})
    for name, label, row in rows
  ]
  return case.file('m.jsonl', '\n'.join(lines))


def _semicolons(case: Case) -> pathlib.Path:
  frame = pd.DataFrame({'id': case.ids} | case.scores())
  text = frame.to_csv(index=False, sep=';', decimal=',', lineterminator=';;\n')
  return case.file('m.csv.gz', gzip.compress(f'sep=;\n{text}'.encode()))


def _timm_sorted(case: Case) -> pathlib.Path:
  order = np.argsort(-case.logits, axis=1)
  values = np.take_along_axis(case.logits, order, axis=1)
  columns = {'filename': case.ids}
  for i in range(order.shape[1]):
    columns |= {f'index_{i}': order[:, i], f'logit_{i}': values[:, i]}
  return case.csv('m.csv', **columns)


# Formats whose files have ids and logits: `--format`, and how one is written.
SOFT: dict[str, tuple[str, Callable[[Case], pathlib.Path]]] = {
  'npz': ('', _npz),
  'csv': (
    '',
    lambda case: case.csv(
      'm.csv', id=case.ids, label=case.labels, **case.scores()
    ),
  ),
  'parquet': ('', _parquet),
  'safetensors': ('', _safetensors),
  'parquet of lists': ('', _lists_parquet),
  'json lines': ('', _json_lines),
  'csv of a spreadsheet': ('', _semicolons),
  'timm csv': ('timm', _timm_csv),
  'timm sorted': ('', _timm_sorted),
  'timm json': ('timm', _timm_json),
  'timm parquet': ('timm', _timm_parquet),
}


def _hard_parquet(case: Case) -> pathlib.Path:
  path = case.folder / 'm.parquet'
  columns = {'predicted': case.predicted, 'confidence': case.confidence}
  pd.DataFrame({'id': case.ids, **columns}).to_parquet(path)
  return path


def _hard_npz(case: Case) -> pathlib.Path:
  path = case.folder / 'm.npz'
  np.savez(
    path, predicted=case.predicted, confidence=case.confidence, ids=case.ids
  )
  return path


# The same of classes with their confidences.
HARD: dict[str, tuple[str, Callable[[Case], pathlib.Path]]] = {
  'csv': (
    '',
    lambda case: case.csv(
      'm.csv', id=case.ids, predicted=case.predicted,
      confidence=case.confidence,
    ),
  ),
  'parquet': ('', _hard_parquet),
  'npz': ('', _hard_npz),
  'timm': (
    'timm',
    lambda case: case.csv(
      'm.csv', filename=case.ids, index=case.predicted, prob=case.confidence
    ),
  ),
}  # fmt: skip


@pytest.fixture
def make(tmp_path) -> Callable[..., Case]:
  """Makes a case of so many examples and classes."""

  def made(rows: int = 23, classes: int = 4, seed: int = 0) -> Case:
    rng = np.random.default_rng(seed)
    folder = tmp_path / 'files'
    folder.mkdir(exist_ok=True)
    numbers = 1000 + rng.permutation(10 * rows)[:rows]
    return Case(
      folder=folder,
      workdir=tmp_path / 'w',
      ids=numbers.astype(np.str_),
      labels=rng.integers(classes, size=rows),
      class_names=tuple(f'class {i}' for i in range(classes)),
      logits=rng.normal(scale=3, size=(rows, classes)).astype(np.float32),
    )

  return made


@pytest.fixture
def case(make) -> Case:
  """A case whose examples are stored."""
  made = make()
  made.store_examples()
  return made


# Those of files without ids.
ROWS: dict[str, tuple[str, Callable[[Case], pathlib.Path]]] = {
  'npy': ('', lambda case: case.npy('m.npy', case.logits)),
  'npy by columns': (
    '',
    lambda case: case.npy('m.npy', np.asfortranarray(case.logits)),
  ),
  'npy classes': ('', lambda case: case.npy('m.npy', case.predicted)),
  'json': ('', lambda case: case.json('m.json', case.logits.tolist())),
  'json classes': (
    '',
    lambda case: case.json('m.json', case.predicted.tolist()),
  ),
  'csv': ('', lambda case: case.csv('m.csv', **case.scores())),
}


@dataclasses.dataclass(frozen=True)
class Written:
  """A way to write predictions: `--format`, and the function."""

  format: str
  write: Callable[[Case], pathlib.Path]


@pytest.fixture(params=list(SOFT))
def soft(request) -> Written:
  """Each format whose files have ids and logits."""
  return Written(*SOFT[request.param])


@pytest.fixture(params=list(HARD))
def hard(request) -> Written:
  """Each format whose files have ids, classes and confidences."""
  return Written(*HARD[request.param])


@pytest.fixture(params=list(ROWS))
def rows(request) -> Written:
  """Each format whose files have no ids."""
  return Written(*ROWS[request.param])


@pytest.fixture
def refused() -> Callable[..., str]:
  """Runs something that must fail with one line and leave a case untouched."""

  def check(case: Case, error: type[Exception], function, *args, **kwargs):
    before = case.tree()
    with pytest.raises(error) as caught:
      function(*args, **kwargs)
    text = str(caught.value)
    assert '\n' not in text
    assert text.endswith('.')
    assert case.tree() == before
    return text

  return check

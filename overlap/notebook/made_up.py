"""Synthetic predictions and features for trying the notebooks.

No model is trained: the random numbers have a component that all models share,
so that they find the same examples hard, and noise of each model. Existing
files are kept.
"""

import io
from typing import Any

import numpy as np
import pandas as pd
from etils import epath

from overlap.core import files

_CLASSES = 10
# Margin of the right class, and scale of each model's own noise, relative to
# the shared noise.
_MODELS = {'cnn': (2.6, 0.6), 'cnn-2': (2.6, 0.6), 'transformer': (3.0, 1.1)}
# Standard deviation of features around the mean of their class, whose length is
# about the square root of the width.
_SPREAD = {'cnn': 2.2, 'transformer': 2.4}
_SIZES = {'train': 1000, 'heldout': 300, 'test': 1000}


def predictions(folder: epath.PathLike, examples: int = 1000) -> epath.Path:
  """Writes predictions of three models, and the labels.

  Args:
    folder: output folder for `labels.csv`, `cnn.npz` (logits and ids),
      `cnn-2.csv` (columns `id` and `logit_0` ...) and `transformer.csv` (in
      timm's format of results: `filename`, `prob_0` ...).
    examples: number of examples.

  Returns:
    The folder.

  Raises:
    DataError: a file can't be written.
  """
  rng = np.random.default_rng(0)
  labels = rng.integers(_CLASSES, size=examples)
  shared = rng.normal(size=(examples, _CLASSES))
  right = np.eye(_CLASSES)[labels]
  logits = {
    name: shared + height * right + rng.normal(0, own, shared.shape)
    for name, (height, own) in _MODELS.items()
  }
  ids = [f'image_{i:04}.jpg' for i in range(examples)]
  probabilities = np.exp(logits['transformer'])
  probabilities /= probabilities.sum(axis=1, keepdims=True)
  folder = epath.Path(folder)
  for name, content in {
    'labels.csv': _csv(pd.DataFrame({'id': ids, 'label': labels})),
    'cnn.npz': _npz(logits=logits['cnn'].astype(np.float32), ids=ids),
    'cnn-2.csv': _csv(_scores('id', ids, 'logit', logits['cnn-2'])),
    'transformer.csv': _csv(_scores('filename', ids, 'prob', probabilities)),
  }.items():
    _write(folder / name, content)
  return folder


def features(folder: epath.PathLike, width: int = 32) -> epath.Path:
  """Writes features of two models, and the labels.

  Args:
    folder: output folder for `cnn.npz`, `transformer.npz` and `labels.npz`,
      each with `train`, `heldout` and `test`: features `[n, width]`, labels
      `[n]`.
    width: width of each model's features.

  Returns:
    The folder.

  Raises:
    DataError: a file can't be written.
  """
  rng = np.random.default_rng(0)
  labels = {s: rng.integers(_CLASSES, size=n) for s, n in _SIZES.items()}
  made = {'labels.npz': _npz(**labels)}
  for name, spread in _SPREAD.items():
    means = rng.normal(size=(_CLASSES, width))
    splits = {
      split: means[own] + rng.normal(0, spread, (len(own), width))
      for split, own in labels.items()
    }
    made[f'{name}.npz'] = _npz(
      **{split: own.astype(np.float32) for split, own in splits.items()}
    )
  folder = epath.Path(folder)
  for name, content in made.items():
    _write(folder / name, content)
  return folder


def _write(path: epath.Path, content: bytes) -> None:
  if not path.exists():
    files.write_bytes(path, content)


def _npz(**arrays: Any) -> bytes:
  buffer = io.BytesIO()
  np.savez(buffer, allow_pickle=False, **arrays)
  return buffer.getvalue()


def _scores(
  key: str, ids: list[str], prefix: str, scores: np.ndarray
) -> pd.DataFrame:
  names = [f'{prefix}_{i}' for i in range(scores.shape[1])]
  table = pd.DataFrame(scores, columns=names)
  table.insert(0, key, ids)
  return table


def _csv(table: pd.DataFrame) -> bytes:
  return table.to_csv(index=False).encode()

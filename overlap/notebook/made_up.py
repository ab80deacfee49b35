"""Made-up predictions and features, to try the notebooks on.

Nothing was trained: random numbers in which models share what is hard, as
models do, and each has mistakes of its own. Files that are there stay.
"""

import pathlib
from typing import Any

import numpy as np
import pandas as pd
from etils import epath

from overlap.files import encode_name

_CLASSES = 10
# How much higher the right class is, and how much noise a model has of its own
# beside what all share.
_MODELS = {'cnn': (2.6, 0.6), 'cnn-2': (2.6, 0.6), 'transformer': (3.0, 1.1)}


def predictions(folder: epath.PathLike, examples: int = 1000) -> pathlib.Path:
  """Writes predictions of three models, and the labels.

  Args:
    folder: gets `labels.csv`, `cnn.npz` (logits and ids), `cnn-2.csv`
      (columns `id` and `logit_0` ...) and `transformer.csv` (as timm writes
      results: `filename`, `prob_0` ...).
    examples: how many.

  Returns:
    The folder.
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
  folder = _folder(folder)
  if _absent(folder / 'labels.csv'):
    known = pd.DataFrame({'id': ids, 'label': labels})
    known.to_csv(folder / 'labels.csv', index=False)
  if _absent(folder / 'cnn.npz'):
    np.savez(
      folder / 'cnn.npz', logits=np.asarray(logits['cnn'], np.float32), ids=ids
    )
  probabilities = np.exp(logits['transformer'])
  probabilities /= probabilities.sum(axis=1, keepdims=True)
  _csv(folder / 'cnn-2.csv', 'id', ids, 'logit', logits['cnn-2'])
  _csv(folder / 'transformer.csv', 'filename', ids, 'prob', probabilities)
  return folder


def features(folder: epath.PathLike, width: int = 32) -> pathlib.Path:
  """Writes features of two models, and the labels.

  Args:
    folder: gets `cnn.npz`, `transformer.npz` and `labels.npz`, each with
      `train`, `heldout` and `test`: `[n, width]`, labels `[n]`.
    width: of each model's features.

  Returns:
    The folder.
  """
  rng = np.random.default_rng(0)
  sizes = {'train': 1000, 'heldout': 300, 'test': 1000}
  labels = {s: rng.integers(_CLASSES, size=n) for s, n in sizes.items()}
  folder = _folder(folder)
  made: dict[str, dict[str, Any]] = {'labels': labels}
  for name, noise in (('cnn', 2.2), ('transformer', 2.4)):
    centres = rng.normal(size=(_CLASSES, width))
    made[name] = {
      split: np.asarray(
        centres[own] + rng.normal(0, noise, (len(own), width)), np.float32
      )
      for split, own in labels.items()
    }
  for name, arrays in made.items():
    path = folder / f'{encode_name(name)}.npz'
    if _absent(path):
      np.savez(path, allow_pickle=False, **arrays)
  return folder


def _folder(folder: epath.PathLike) -> pathlib.Path:
  path = pathlib.Path(folder)
  path.mkdir(parents=True, exist_ok=True)
  return path


def _absent(path: pathlib.Path) -> bool:
  return not path.exists()


def _csv(
  path: pathlib.Path, key: str, ids: list[str], prefix: str, scores: np.ndarray
) -> None:
  if _absent(path):
    names = [f'{prefix}_{i}' for i in range(scores.shape[1])]
    table = pd.DataFrame(scores, columns=names)
    table.insert(0, key, ids)
    table.to_csv(path, index=False)

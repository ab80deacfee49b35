"""Recomputes published figures: expected and obtained values with sources.

The paper's figures need only the package's own copy of its table 1. Those of
CIFAR-10.1 need its public predictions in a folder, laid out like
`model_predictions` and `datasets` in its repository; they are ingested into a
store and analysed like any predictions.
"""

import pathlib
import tempfile
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from etils import epath

from overlap import ingest
from overlap.catalog import paper
from overlap.catalog.paper import published
from overlap.stages import analyse

_PAPER = 'paper, table 1'
_RECHT = 'Recht et al. 2018, CIFAR-10.1'


class Anchor(NamedTuple):
  """Published figure with its recomputed value.

  Attributes:
    name: description of the figure.
    expected: published value, in `unit`.
    got: recomputed value, in `unit`.
    digits: number of published digits after the point.
    unit: '' for plain numbers, '%' or 'points'.
    source: publication.
  """

  name: str
  expected: float
  got: float
  digits: int
  unit: str
  source: str

  @property
  def holds(self) -> bool:
    """Returns whether both values agree when rounded as published."""
    # A tie may be rounded either way.
    reach = 0.5 * 10.0**-self.digits * (1 + 1e-6)
    return bool(abs(self.got - self.expected) <= reach)


class Split(NamedTuple):
  """Set of CIFAR-10.1's predictions: folder and labels."""

  dataset: str
  name: str
  folder: str
  labels: str


SPLITS: Mapping[str, Split] = {
  'original': Split(
    'cifar10', 'test', 'original_predictions', 'cifar10_test_labels.npy'
  ),
  'v4': Split('cifar10.1', 'v4', 'v4_predictions', 'cifar10.1_v4_labels.npy'),
  'v6': Split('cifar10.1', 'v6', 'v6_predictions', 'cifar10.1_v6_labels.npy'),
}
_BASE = 'wrn_28_10'
# Accuracy in per cent by model and split.
_ACCURACY = {('vgg16_keras', 'v4'): 85.25}
# Gain of Cutout in points, by models (without, with) and split. Published for
# the first new test set, which is v4: 1.53 is no multiple of the 0.05 points
# that one of v6's 2,000 images makes.
_CUTOUT = {
  ('shake_shake_26_2x64d_SSI', 'shake_shake_26_2x64d_SSI_cutout16'): {
    'original': 0.12,
    'v4': 1.53,
  },
  ('wrn_28_10', 'wrn_28_10_cutout16'): {'original': 1.03, 'v4': 2.27},
}
# Error inconsistency of all pairs of 30 models on CIFAR-10: min, max, digits.
_PAIRS = 435
_INCONSISTENCY = ((min, 'least', 0.0194, 4), (max, 'most', 0.167, 3))
# Number of figures of CIFAR-10.1.
_COUNT = len(_ACCURACY) + sum(map(len, _CUTOUT.values())) + len(_INCONSISTENCY)


def of_paper() -> Iterator[Anchor]:
  """Yields the figures that the paper derives from its table 1."""
  table = paper.table(1)
  accuracy = table['accuracy'] / 100
  gain = table['ensemble_accuracy'] / 100
  gain -= (accuracy + published.BASE_ACCURACY) / 2
  inconsistency = table['error_inconsistency']
  yield Anchor(
    f'correlation of error inconsistency and gain, {len(table)} models',
    published.CORRELATION,
    float(np.corrcoef(inconsistency, gain)[0, 1]),
    3,
    '',
    f'{_PAPER} and Fig. 2',
  )
  for category in published.ERROR_INCONSISTENCY:
    yield Anchor(
      f'mean error inconsistency, {category}',
      published.ERROR_INCONSISTENCY[category],
      float(inconsistency[table['category'] == category].mean()),
      4,
      '',
      f'{_PAPER} and Fig. 1',
    )
  for category in published.GAIN:
    yield Anchor(
      f'mean gain, {category}',
      100 * published.GAIN[category],
      100 * float(gain[table['category'] == category].mean()),
      2,
      'points',
      f'{_PAPER} and Fig. 2',
    )


def of_cifar10_1(folder: epath.PathLike) -> Iterator[Anchor | str]:
  """Yields the figures of CIFAR-10.1's predictions.

  Args:
    folder: folder with `{original,v4,v6}_predictions/<model>_predictions.json`,
      `cifar10.1_{v4,v6}_labels.npy` and `cifar10_test_labels.npy`.

  Yields:
    Figures; for each skipped one, a line of text that says what is missing.

  Raises:
    DataError: a file is damaged.
  """
  root = pathlib.Path(folder)
  if not root.is_dir():
    yield f'all of {_RECHT}: {root} is no folder'
    return
  models, pairs = {}, pd.DataFrame()
  with tempfile.TemporaryDirectory() as workdir:
    for name, split in SPLITS.items():
      lacks = [
        root / part
        for part in (split.folder, split.labels)
        if not (root / part).exists()
      ]
      if not lacks and not list((root / split.folder).glob('*.json')):
        lacks = [root / split.folder / '*.json']
      if lacks:
        yield f'CIFAR-10.1, {name}: {lacks[0]} is absent'
        continue
      made = _analyse(epath.Path(workdir) / name, root, split)
      if isinstance(made, str):
        yield f'CIFAR-10.1, {name}: {made}'
        continue
      models[name] = made['models'].set_index('model')['accuracy']
      if name == 'original':
        pairs = made['pairs']
  yield from _accuracies(models)
  if len(pairs):
    yield from _inconsistencies(pairs)


def _analyse(
  workdir: epath.Path, root: pathlib.Path, split: Split
) -> dict[str, pd.DataFrame] | str:
  """Returns the tables of a split's models, or why there are none."""
  ingested = ingest.ingest(
    ingest.Request(
      workdir=workdir,
      dataset=split.dataset,
      split=split.name,
      predictions=str(root / split.folder),
      format='cifar10.1',
      labels=str(root / split.labels),
    )
  )
  names = [item.record['model'] for item in ingested]
  base = _BASE if _BASE in names else names[0]
  if len(names) < 2:
    return f'{root / split.folder} has one model alone'
  wanted = ['models', 'pairs']
  request = analyse.store_request(
    workdir,
    split.dataset,
    split.name,
    base,
    options={'tables': wanted, 'resamples': 0},
  )
  return analyse.compute(workdir, request)


def _accuracies(models: Mapping[str, pd.Series]) -> Iterator[Anchor | str]:
  for (model, name), expected in _ACCURACY.items():
    what = f'accuracy of {model} on {_called(name)}'
    if name in models and model in models[name]:
      got = 100 * models[name][model]
      yield Anchor(what, expected, got, 2, '%', _RECHT)
    elif name in models:
      yield f'{what}: no predictions of {model}'
  for (without, cutout), by_split in _CUTOUT.items():
    for name, expected in by_split.items():
      what = f'what Cutout adds to {without} on {_called(name)}'
      if name not in models:
        continue
      absent = [m for m in (without, cutout) if m not in models[name]]
      if absent:
        yield f'{what}: no predictions of {absent[0]}'
        continue
      # As published: the difference of two accuracies in per cent, rounded to
      # two digits (91.98 - 89.71; unrounded, it is 2.276).
      accuracies = (100 * models[name][[without, cutout]]).round(2)
      got = accuracies[cutout] - accuracies[without]
      yield Anchor(what, expected, got, 2, 'points', _RECHT)


def _inconsistencies(pairs: pd.DataFrame) -> Iterator[Anchor | str]:
  if len(pairs) != _PAIRS:
    yield (
      f'error inconsistency of all pairs on {_called("original")}: '
      f'{_PAIRS} pairs of 30 models are needed, and there are {len(pairs)}'
    )
    return
  for pick, word, expected, digits in _INCONSISTENCY:
    yield Anchor(
      f'{word} error inconsistency of {_PAIRS} pairs on {_called("original")}',
      expected,
      pick(pairs['error_inconsistency']),
      digits,
      '',
      'the 30 models’ predictions of CIFAR-10.1',
    )


def _called(name: str) -> str:
  return 'CIFAR-10' if name == 'original' else f'CIFAR-10.1 {name}'


def report(folder: epath.PathLike | None) -> tuple[str, bool]:
  """Recomputes all figures that can be recomputed, as text.

  Args:
    folder: folder of CIFAR-10.1's predictions; None or '' for the paper's
      figures alone.

  Returns:
    The text, and whether all is well: every recomputed figure holds, and the
    folder, if given, yielded at least one.

  Raises:
    DataError: a file is damaged.
  """
  found: list[Anchor | str] = list(of_paper())
  own = len(found)
  total = own + _COUNT
  if folder:
    found += of_cifar10_1(folder)
  else:
    found.append(f'all of {_RECHT}: --anchors names no folder')
  anchors = [item for item in found if isinstance(item, Anchor)]
  rows = [('', 'figure', 'expected', 'got', 'source')]
  rows += [
    (
      'ok' if a.holds else 'OFF',
      a.name,
      f'{a.expected:.{a.digits}f} {a.unit}'.rstrip(),
      f'{a.got:.{a.digits + 2}f} {a.unit}'.rstrip(),
      a.source,
    )
    for a in anchors
  ]
  widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
  lines = [
    '  '.join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
    for row in rows
  ]
  lines += [f'skipped: {item}.' for item in found if isinstance(item, str)]
  off = sum(not a.holds for a in anchors)
  last = f'{len(anchors) - off} of {total} figures reproduced'
  if len(anchors) < total:
    last += f', {total - len(anchors)} skipped'
  in_vain = bool(folder) and len(anchors) == own
  if in_vain:
    last += f': {folder} gave none'
  lines.append(last)
  return '\n'.join(lines), not off and not in_vain

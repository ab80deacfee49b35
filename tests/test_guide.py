"""The guide to bringing predictions from PyTorch, carried out as it stands."""

import pathlib
import re
import runpy
import shlex
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
GUIDE = (ROOT / 'overlap' / 'ingest' / 'README.md').read_text()
(SAVE,) = re.findall(r'^```python\n(.*?)^```$', GUIDE, re.M | re.S)
(COMMANDS,) = re.findall(r'^```sh\n(.*?)^```$', GUIDE, re.M | re.S)
SEED = 0


def digits(torch):
  """Loaders of real handwritten digits: to train on, and to test on."""
  datasets = pytest.importorskip('sklearn.datasets')
  images, labels = datasets.load_digits(return_X_y=True)
  images = torch.tensor(images / 16, dtype=torch.float32).view(-1, 1, 8, 8)
  data = torch.utils.data.TensorDataset(images, torch.tensor(labels))
  parts = torch.utils.data.Subset
  train, test = parts(data, range(1200)), parts(data, range(1200, len(data)))
  load = torch.utils.data.DataLoader
  order = torch.Generator().manual_seed(SEED)
  return (
    load(train, batch_size=64, shuffle=True, generator=order),
    load(test, batch_size=100),
  )


def fit(torch, model, loader, epochs=4):
  optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
  for _ in range(epochs):
    for images, labels in loader:
      optimizer.zero_grad()
      torch.nn.functional.cross_entropy(model(images), labels).backward()
      optimizer.step()
  return model.eval()


def test_pytorch_logits_become_a_page(tmp_path, monkeypatch):
  torch = pytest.importorskip('torch')
  torch.manual_seed(SEED)
  nn = torch.nn
  train, loader = digits(torch)
  models = {
    'linear': nn.Sequential(nn.Flatten(), nn.Linear(64, 10)),
    'convnet': nn.Sequential(
      nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(576, 10)
    ),
  }
  monkeypatch.chdir(tmp_path)
  script = tmp_path / 'save.py'
  script.write_text(SAVE)
  for name, model in models.items():
    fit(torch, model, train)
    given = {'model': model, 'loader': loader, 'name': name}
    runpy.run_path(
      str(script), init_globals={'torch': torch, 'numpy': np} | given
    )

  lines = COMMANDS.splitlines()
  assert len(SAVE.splitlines()) == 4
  assert len(lines) == 3
  for line in lines:
    program, *words = shlex.split(line)
    assert program == 'overlap'
    done = subprocess.run(
      [sys.executable, '-m', 'overlap', *words],
      capture_output=True,
      text=True,
    )
    assert done.returncode == 0, done.stderr
  page = tmp_path / 'W' / 'report' / 'index.html'
  assert str(page.relative_to(tmp_path)) in done.stdout
  assert 'convnet' in page.read_text()

  images, labels = map(torch.cat, zip(*loader))
  with torch.inference_mode():
    right = {n: m(images).argmax(1) == labels for n, m in models.items()}
  table = pd.read_csv(tmp_path / 'W' / 'tables' / 'models.csv')
  for name, accuracy in zip(table.model, table.accuracy):
    assert accuracy == pytest.approx(float(right[name].float().mean()))
  (pair,) = pd.read_csv(tmp_path / 'W' / 'tables' / 'pairs.csv').itertuples()
  assert pair.n == len(labels)
  first, second = right[pair.model_1], right[pair.model_2]
  assert pair.both_correct == int((first & second).sum())
  assert pair.only_1 == int((first & ~second).sum())

"""Weights of another form than the config's default, through whole commands."""

import json
import warnings

import numpy as np
import pytest
from PIL import Image

from overlap.cli import main as cli
from overlap.store.reader import Store

CONFIG = """
from overlap.config import schema as overlap_config


def get_config(arg=''):
  config = overlap_config.study()
  config.data.dataset = 'image_folder'
  config.data.image_size = 16
  config.data.splits.heldout = ''
  config.predict.batch_size = 4
  config.models.base = overlap_config.model(
    'vit', patch_size=8, hidden_size=24, depth=1, num_heads=2
  )
  config.models.base.train.total_steps = 0
  return config
"""


@pytest.fixture
def trees(tmp_path):
  """A tree of random images, and those of its test split in their order."""
  rng = np.random.default_rng(3)
  images = []
  for split in ('train', 'test'):
    for label in 'abc':
      folder = tmp_path / 'data' / split / label
      folder.mkdir(parents=True)
      for i in range(3):
        image = (rng.random((16, 16, 3)) * 255).astype(np.uint8)
        Image.fromarray(image).save(folder / f'{i}.png')
        if split == 'test':
          images.append(image)
  (tmp_path / 'study.py').write_text(CONFIG)
  return tmp_path, np.stack(images)


@pytest.fixture
def vit():
  torch = pytest.importorskip('torch')
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    timm = pytest.importorskip('timm')

  def make(seed, **options):
    torch.manual_seed(seed)
    model = timm.models.vision_transformer.VisionTransformer(
      img_size=16, patch_size=8, embed_dim=24, depth=1, num_heads=2,
      num_classes=3, **options,
    ).eval()  # fmt: skip
    with torch.no_grad():
      for parameter in model.parameters():
        parameter.normal_(0.1, 0.5)
    return model

  return make


def run(command, folder, *words):
  return cli.main(
    [
      command,
      f'--config={folder / "study.py"}',
      f'--workdir={folder / "w"}',
      f'--config.data.data_dir={folder / "data"}',
      f'--config.models.base.init.checkpoint={folder / "mae.pth"}',
      *words,
    ]
  )


def test_masked_autoencoders_predict_as_timm(trees, vit):
  """Fine-tuned: a class token, the mean over the patches, then the norm."""
  import torch

  folder, images = trees
  model, raw = vit(0, global_pool='avg'), vit(1, global_pool='avg')
  assert model.fc_norm.weight.shape == (24,)
  torch.save(
    {'model': raw.state_dict(), 'model_ema': model.state_dict()},
    folder / 'mae.pth',
  )
  assert run('train', folder) == 0
  # Once it is loaded, the file may be gone.
  (folder / 'mae.pth').rename(folder / 'elsewhere.pth')
  assert run('predict', folder) == 0
  store = Store(folder / 'w')
  ((dataset, split),) = store.splits()
  x = (images.astype(np.float32) / 255 - 0.5) / 0.25
  with torch.no_grad():
    expected = model(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).numpy()
  assert np.std(expected, axis=0).min() > 0.1
  np.testing.assert_allclose(
    store.read(dataset, split, 'base'), expected, rtol=1e-4, atol=1e-4
  )
  record = json.loads((folder / 'w' / 'models/base/model.json').read_text())
  assert record['weights'] == {
    'file': str(folder / 'mae.pth'),
    'kind': 'PyTorch',
    'container': 'model_ema',
    'other_containers': ['model'],
    'prefix': '',
    'leaves': len(model.state_dict()),
  }
  assert record['options'] == {
    'patch_size': 8, 'hidden_size': 24, 'depth': 1, 'num_heads': 2,
    'pool': 'gap_with_token', 'fc_norm': True,
  }  # fmt: skip


def test_options_that_contradict_the_config_beside_are_one_line(
  trees, vit, capsys
):
  import torch

  folder, _ = trees
  torch.save(vit(0).state_dict(), folder / 'mae.pth')
  (folder / 'config.json').write_text(
    json.dumps({'architecture': 'vit_tiny_patch16_224'})
  )
  assert run('train', folder) == 1
  said = capsys.readouterr().err
  assert "num_heads of vit must be 3 (architecture 'vit_tiny_pat" in said
  assert 'got 2: leave it out' in said
  assert 'Traceback' not in said

"""Architectures of timm, each saved in eight ways, against timm's own logits.

Weights are random; where timm takes fewer blocks or smaller images, it is given
them. Beside the weights lies the config.json that timm writes, and options say
sizes alone. What is refused says so in one line, which is part of the table.
"""

import argparse
import json
import warnings

import jax
import numpy as np
import pytest

from overlap import models
from overlap.core import errors
from overlap.models import checkpoints

torch = pytest.importorskip('torch')
with warnings.catch_warnings():
  warnings.simplefilter('ignore')
  timm = pytest.importorskip('timm')

CLASSES = 7
SHORT = (1, 1, 1, 1)
TINY = {'hidden_size': 192, 'depth': 2}
SMALL = {'hidden_size': 384, 'depth': 2}
BASE = {'depth': 1}
HRNET = {
  'width': 16, 'first_filters': 32, 'first_blocks': 1, 'exchanges': (1, 1, 1),
}  # fmt: skip
DLA34 = {
  'depths': (1, 1, 1, 2, 2, 1),
  'filters': (16, 32, 64, 128, 256, 512),
  'block': 'basic',
}


def short(name, family, side=64, **options):
  """A network of stages, with one block in each."""
  options = {'stage_sizes': SHORT} | options
  sizes = options['stage_sizes']
  return name, (family, options, {'layers': sizes}, side)


def of_vit(name, side, options, **theirs):
  options = {'patch_size': int(name.split('patch')[1].split('_')[0])} | options
  theirs = {'img_size': side, 'depth': options['depth']} | theirs
  return name, ('vit', options, theirs, side)


# By timm's name: our family, its options, timm's own, and the images' side.
TAKEN = dict(
  (
    short('resnet18', 'resnet', block='basic'),
    short('resnet34', 'resnet', block='basic', stage_sizes=(1, 2, 1, 1)),
    short('resnet50', 'resnet'),
    short('resnet101', 'resnet', stage_sizes=(1, 1, 2, 1)),
    of_vit('vit_tiny_patch16_224', 64, TINY),
    of_vit('vit_small_patch32_224', 96, SMALL),
    of_vit('vit_base_patch32_224', 64, BASE),
    of_vit('vit_base_patch16_224', 32, BASE, global_pool='avg'),
    of_vit('vit_medium_patch16_gap_240', 64, {'hidden_size': 512, 'depth': 2}),
    of_vit('vit_base_patch16_224_miil', 32, BASE),
    of_vit('vit_small_patch14_reg4_dinov2', 42, SMALL),
    of_vit('deit_tiny_patch16_224', 48, TINY),
    of_vit('deit_tiny_distilled_patch16_224', 64, TINY),
    of_vit('deit3_small_patch16_224', 64, SMALL),
    ('mobilenetv2_100', ('mobilenet_v2', {}, {}, 64)),
    ('mobilenetv2_110d', ('mobilenet_v2', {}, {}, 64)),
    (
      'densenet121',
      (
        'densenet',
        {'block_config': (2, 3, 2, 1)},
        {'block_config': (2, 3, 2, 1)},
        64,
      ),
    ),
    (
      'densenetblur121d',
      (
        'densenet',
        {'block_config': (1, 2, 1, 1), 'stem': 'deep'},
        {'block_config': (1, 2, 1, 1)},
        64,
      ),
    ),
    ('efficientnet_b0', ('efficientnet', {}, {}, 64)),
    ('efficientnet_b1', ('efficientnet', {}, {}, 45)),
    ('tf_efficientnet_b0', ('efficientnet', {}, {}, 64)),
    ('vgg11_bn', ('vgg', {'stage_sizes': (1, 1, 2, 2, 2)}, {}, 64)),
    short('legacy_seresnet18', 'senet', block='basic'),
    short('legacy_seresnet50', 'senet'),
    short('legacy_seresnext26_32x4d', 'senet', groups=32, width_per_group=4),
    short(
      'seresnext26d_32x4d', 'senet', groups=32, width_per_group=4, form='d'
    ),
    short('skresnet18', 'sknet'),
    short('skresnet34', 'sknet', stage_sizes=(1, 2, 1, 1)),
    ('resnetv2_50x1_bit', ('bit', {}, {}, 64)),
    ('inception_v3', ('inception_v3', {}, {'aux_logits': False}, 75)),
    ('hrnet_w18_small', ('hrnet', HRNET, {}, 32)),
    (
      'dpn68',
      (
        'dpn',
        {'stage_sizes': (2, 2, 1, 1), 'growth': (16, 32, 32, 64)},
        {'k_sec': (2, 2, 1, 1)},
        64,
      ),
    ),
    ('dla34', ('dla', DLA34, {}, 64)),
    ('ese_vovnet19b_dw', ('vovnet', {}, {}, 64)),
  )
)
# Likewise, and what the line says.
REFUSED = {
  'resnetblur50': (
    *('resnet', {'stage_sizes': SHORT}, {'layers': SHORT}),
    "architecture 'resnetblur50' is another network than a resnet",
  ),
  'resnet26d': (
    *('resnet', {'stage_sizes': SHORT}, {'layers': SHORT}),
    "got 'conv1.0.weight'",
  ),
  'wide_resnet50_2': (
    *('resnet', {'stage_sizes': SHORT}, {'layers': SHORT}),
    'has shape',
  ),
  'vit_base_patch32_clip_quickgelu_224': (
    *('vit', {'depth': 1}, {'img_size': 64, 'depth': 1}),
    "got 'norm_pre.weight'",
  ),
  'beit_base_patch16_224': (
    *('vit', {'depth': 1}, {'img_size': 32, 'depth': 1}),
    "got 'blocks.0.gamma_1'",
  ),
  'tf_efficientnet_lite0': (
    *('efficientnet_lite', {}, {}),
    "got 'conv_stem.weight'",
  ),
}


def random_model(name, options, seed):
  """timm's model with weights of a trained scale, norms included."""
  generator = torch.Generator().manual_seed(seed)
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    model = timm.create_model(name, num_classes=CLASSES, **options).eval()
  with torch.no_grad():
    for key, values in model.state_dict().items():
      if not values.is_floating_point():
        continue
      draw = torch.randn(values.shape, generator=generator)
      if values.ndim == 1 and key.endswith(('weight', 'running_var')):
        draw = 0.5 + torch.rand(values.shape, generator=generator)
      elif values.ndim == 4:
        # So that ReLUs leave as much of the images as there was.
        draw *= (2 / values[0].numel()) ** 0.5
      elif values.ndim == 2:
        draw *= values.shape[1] ** -0.5
      else:
        draw *= 0.3
      values.copy_(draw)
  return model


def cast(state, dtype):
  return {
    name: values.to(dtype) if values.is_floating_point() else values
    for name, values in state.items()
  }


def starting_with(prefix, state):
  return {prefix + name: values for name, values in state.items()}


def save_sharded(state, folder):
  import safetensors.torch

  names = list(state)
  index = {}
  for i, part in enumerate((names[::2], names[1::2]), 1):
    file = f'model-{i:05}-of-00002.safetensors'
    tensors = {name: state[name].clone() for name in part}
    safetensors.torch.save_file(tensors, folder / file)
    index |= dict.fromkeys(part, file)
  (folder / 'model.safetensors.index.json').write_text(
    json.dumps({'weight_map': index})
  )


def save(way, state, other, folder):
  """Saves weights in one of the ways, and returns the path to load."""
  if way == 'sharded':
    save_sharded(state, folder)
    return str(folder)
  content = {
    'plain': state,
    'module.': starting_with('module.', state),
    '_orig_mod.': starting_with('_orig_mod.', state),
    'ema': {'epoch': 3, 'state_dict': other, 'state_dict_ema': state},
    'fp16': cast(state, torch.float16),
    'bf16': cast(state, torch.bfloat16),
    'args': {
      'model': state,
      'args': argparse.Namespace(lr=0.1, betas=(0.9, 0.95)),
      'best': np.float64(71.25),
    },
  }[way]
  torch.save(content, folder / f'{way}.pth')
  return str(folder / f'{way}.pth')


WAYS = (
  'plain', 'module.', '_orig_mod.', 'ema', 'fp16', 'bf16', 'sharded', 'args',
)  # fmt: skip


def write_config(model, name, folder):
  """As timm's `save_for_hf` writes it, of what is read of it."""
  pool = getattr(model, 'global_pool', 'avg')
  (folder / 'config.json').write_text(
    json.dumps(
      {
        'architecture': name,
        'num_classes': CLASSES,
        'global_pool': pool if isinstance(pool, str) else 'avg',
      }
    )
  )


def their_logits(model, state, images):
  model.load_state_dict(cast(state, torch.float32))
  with torch.no_grad():
    return model(torch.from_numpy(images.transpose(0, 3, 1, 2).copy())).numpy()


def differences(name, folder, ways=WAYS):
  """Largest difference from timm's logits, as a share of the largest, by way.

  A text where the weights are refused.
  """
  if name in TAKEN:
    family, options, theirs, side = TAKEN[name]
  else:
    (family, options, theirs, _), side = REFUSED[name], 64
  model = random_model(name, theirs, seed=0)
  state = {key: values.clone() for key, values in model.state_dict().items()}
  other = {key: 2 * values for key, values in state.items()}
  write_config(model, name, folder)
  images = np.random.default_rng(0).normal(size=(2, side, side, 3)).astype('f')
  compiled = {}
  found = {}
  for way in ways:
    path = save(way, state, other, folder)
    try:
      followed = checkpoints.follow(family, path, options)
      module = models.build(family, num_classes=CLASSES, **followed)
      if module not in compiled:
        template = jax.eval_shape(module.init, jax.random.key(0), images)
        compiled[module] = template, jax.jit(module.apply)
      template, apply = compiled[module]
      held = checkpoints.read_logged(path)
      variables = checkpoints.fill(
        family, held.state, template=template, what=held.file
      )
    except errors.OverlapError as e:
      found[way] = str(e)
      continue
    ours = np.asarray(apply(variables, images)[0])
    rounded = {'fp16': torch.float16, 'bf16': torch.bfloat16}.get(way)
    expected = their_logits(
      model, cast(state, rounded or torch.float32), images
    )
    # Examples differ, so that equality says something.
    assert np.std(expected, axis=0).mean() > 0.01
    found[way] = float(np.abs(ours - expected).max() / np.abs(expected).max())
  return found


@pytest.mark.slow_except('vit_base_patch16_224', 'resnet18')
@pytest.mark.parametrize('name', TAKEN)
def test_logits_equal_timms(name, tmp_path):
  found = differences(name, tmp_path)
  assert list(found) == list(WAYS)
  assert {way: d for way, d in found.items() if not isinstance(d, float)} == {}
  assert max(found.values()) < 1e-4, found


@pytest.mark.slow_except('resnetblur50')
@pytest.mark.parametrize('name', REFUSED)
def test_one_line_says_why_not(name, tmp_path):
  found = differences(name, tmp_path)
  assert list(found) == list(WAYS)
  for line in found.values():
    assert REFUSED[name][-1] in line
    assert str(tmp_path) in line
    assert line.endswith('overlap ingest.')

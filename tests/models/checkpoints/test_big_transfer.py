"""BiT from its authors' files: what they hold is written here by hand."""

import warnings

import jax
import numpy as np
import pytest

from overlap.core import errors
from overlap.models import bit, checkpoints

SIZES = (1, 2, 1, 1)
R50 = (3, 4, 6, 3)
LETTERS = {'1': 'a', '2': 'b', '3': 'c'}


def small(sizes=SIZES):
  return bit.BiT(num_classes=5, stage_sizes=sizes)


def random_variables(model):
  template = jax.eval_shape(
    model.init, jax.random.key(0), np.zeros((1, 32, 32, 3), 'f')
  )
  rng = np.random.default_rng(0)
  return template, jax.tree.map(
    lambda leaf: rng.normal(0.1, 0.5, leaf.shape).astype('f'), template
  )


def kernel(values):
  """A 1×1 convolution's kernel has four axes in all files."""
  return values if values.ndim == 4 else values[None, None]


def by_big_transfer(params, sizes=SIZES):
  """Arrays by the names of the paper's files."""
  conv, norm = 'standardized_conv2d/kernel', 'group_norm'
  found = {
    f'resnet/root_block/{conv}': params['stem']['kernel'],
    f'resnet/{norm}/gamma': params['norm']['scale'],
    f'resnet/{norm}/beta': params['norm']['bias'],
    'resnet/head/conv2d/kernel': kernel(params['head']['kernel']),
    'resnet/head/conv2d/bias': params['head']['bias'],
  }
  for stage, size in enumerate(sizes, 1):
    for unit in range(1, size + 1):
      block = params[f'stage{stage}_block{unit}']
      at = f'resnet/block{stage}/unit{unit:02d}'
      for number, letter in LETTERS.items():
        values = kernel(block[f'conv{number}']['kernel'])
        found[f'{at}/{letter}/{conv}'] = values
        scale, bias = (block[f'norm{number}'][k] for k in ('scale', 'bias'))
        found[f'{at}/{letter}/{norm}/gamma'] = scale
        found[f'{at}/{letter}/{norm}/beta'] = bias
      if 'shortcut' in block:
        values = kernel(block['shortcut']['kernel'])
        found[f'{at}/a/proj/{conv}'] = values
  return found


def by_big_vision(params):
  """Arrays by big_vision's names."""
  found = {
    'root_block/conv_root/kernel': params['stem']['kernel'],
    'head/kernel': params['head']['kernel'],
    'head/bias': params['head']['bias'],
  }
  norms = {'norm-pre-head': params['norm']}
  for stage, size in enumerate(SIZES, 1):
    for unit in range(1, size + 1):
      block = params[f'stage{stage}_block{unit}']
      at = f'block{stage}/unit{unit:02d}'
      for number in LETTERS:
        values = kernel(block[f'conv{number}']['kernel'])
        found[f'{at}/conv{number}/kernel'] = values
        norms[f'{at}/gn{number}'] = block[f'norm{number}']
      if 'shortcut' in block:
        values = kernel(block['shortcut']['kernel'])
        found[f'{at}/conv_proj/kernel'] = values
  for name, norm in norms.items():
    for kind, values in norm.items():
      found[f'{name}/{kind}'] = values[None, None, None]
  return {f'params/{name}': values for name, values in found.items()}


@pytest.mark.parametrize('written', [by_big_transfer, by_big_vision])
def test_a_file_gives_back_what_was_written(tmp_path, written):
  template, variables = random_variables(small())
  np.savez(tmp_path / 'a.npz', **written(variables['params']))
  got = checkpoints.load_variables(
    'bit', str(tmp_path / 'a.npz'), template=template
  )
  jax.tree.map(np.testing.assert_array_equal, got, variables)


def test_a_convolution_that_tensorflow_counted_is_the_same():
  template, variables = random_variables(small())
  arrays = {
    name.replace('conv2d/', 'conv2d_17/') if '/block2/' in name else name: v
    for name, v in by_big_transfer(variables['params']).items()
  }
  got = checkpoints.fill('bit', arrays, template=template)
  jax.tree.map(np.testing.assert_array_equal, got, variables)


def test_timm_reads_the_same_tensors_from_the_file(tmp_path):
  pytest.importorskip('torch')
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    resnetv2 = pytest.importorskip('timm.models.resnetv2')
  sizes = (1, 2)
  model = bit.BiT(num_classes=5, stage_sizes=sizes, width=32)
  template, variables = random_variables(model)
  path = tmp_path / 'a.npz'
  np.savez(path, **by_big_transfer(variables['params'], sizes))
  theirs = resnetv2.ResNetV2(
    layers=sizes,
    channels=(128, 256),
    num_classes=5,
    stem_chs=32,
    stem_type='fixed',
  )
  theirs.load_pretrained(str(path))
  state = {name: v.numpy() for name, v in theirs.state_dict().items()}
  want = checkpoints.fill('bit', state, template=template)
  got = checkpoints.load_variables('bit', str(path), template=template)
  jax.tree.map(np.testing.assert_array_equal, got, want)


@pytest.mark.slow
def test_timm_gives_the_same_logits_from_the_file(tmp_path):
  """With its own loader of these files."""
  torch = pytest.importorskip('torch')
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    timm = pytest.importorskip('timm')
  model = small(R50)
  template, variables = random_variables(model)
  path = tmp_path / 'a.npz'
  np.savez(path, **by_big_transfer(variables['params'], R50))
  theirs = timm.create_model('resnetv2_50x1_bit', num_classes=5).eval()
  theirs.load_pretrained(str(path))
  ours = checkpoints.load_variables('bit', str(path), template=template)
  x = np.random.default_rng(1).normal(size=(3, 65, 65, 3)).astype('f')
  with torch.no_grad():
    want = theirs(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).numpy()
  assert np.std(want, axis=0).mean() > 0.01
  np.testing.assert_allclose(
    jax.jit(model.apply)(ours, x)[0],
    want,
    rtol=1e-4,
    atol=1e-4 * np.abs(want).max(),
  )


@pytest.mark.parametrize(
  'name',
  [
    'resnet/block1/unit01/d/standardized_conv2d/kernel',
    'resnet/block1/unit01/b/proj/standardized_conv2d/kernel',
    'block1/unit01/gn4/scale',
    'block1/unit01/gn_proj/scale',
    'resnet/global_step',
  ],
)
def test_a_foreign_name_is_one_line(name):
  template, variables = random_variables(small())
  arrays = by_big_transfer(variables['params']) | {name: np.zeros(3)}
  with pytest.raises(errors.DataError, match=name) as caught:
    checkpoints.fill('bit', arrays, template=template)
  assert '\n' not in str(caught.value)

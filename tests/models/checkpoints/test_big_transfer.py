"""BiT from its authors' files: what they hold is written here by hand."""

import warnings

import jax
import numpy as np
import pytest

from overlap import errors
from overlap.models import bit, checkpoints

UNITS = 'abc'


def small():
  return bit.BiT(num_classes=5, stage_sizes=(1, 2), width=8, groups=4)


def random_variables(model):
  template = jax.eval_shape(
    model.init, jax.random.key(0), np.zeros((1, 32, 32, 3), 'f')
  )
  rng = np.random.default_rng(0)
  return template, jax.tree.map(
    lambda leaf: rng.normal(0, 0.7, leaf.shape).astype('f'), template
  )


def written(params):
  """Arrays by name, as the authors' code names them."""
  found = {
    'resnet/root_block/standardized_conv2d/kernel': params['stem']['kernel'],
    'resnet/group_norm/gamma': params['norm']['scale'],
    'resnet/group_norm/beta': params['norm']['bias'],
    'resnet/head/conv2d/kernel': params['head']['kernel'][None, None],
    'resnet/head/conv2d/bias': params['head']['bias'],
  }
  for stage, blocks in enumerate((1, 2), 1):
    for block in range(1, blocks + 1):
      unit = params[f'stage{stage}_block{block}']
      at = f'resnet/block{stage}/unit{block:02d}'
      for i, letter in enumerate(UNITS, 1):
        kernel = unit[f'conv{i}']['kernel']
        if kernel.ndim == 2:
          kernel = kernel[None, None]
        found[f'{at}/{letter}/standardized_conv2d/kernel'] = kernel
        found[f'{at}/{letter}/group_norm/gamma'] = unit[f'norm{i}']['scale']
        found[f'{at}/{letter}/group_norm/beta'] = unit[f'norm{i}']['bias']
      if 'shortcut' in unit:
        kernel = unit['shortcut']['kernel'][None, None]
        found[f'{at}/a/proj/standardized_conv2d/kernel'] = kernel
  return found


def test_a_file_gives_back_what_was_written(tmp_path):
  template, variables = random_variables(small())
  np.savez(tmp_path / 'a.npz', **written(variables['params']))
  got = checkpoints.load_variables(
    'bit', str(tmp_path / 'a.npz'), template=template
  )
  jax.tree.map(np.testing.assert_array_equal, got, variables)


def test_timm_reads_the_same_from_the_file(tmp_path):
  """Its own loader of these files leaves the same tensors."""
  pytest.importorskip('torch')
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    resnetv2 = pytest.importorskip('timm.models.resnetv2')
  model = bit.BiT(num_classes=5, stage_sizes=(1, 2), width=32)
  template, variables = random_variables(model)
  path = tmp_path / 'a.npz'
  np.savez(path, **written(variables['params']))
  theirs = resnetv2.ResNetV2(
    layers=(1, 2),
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


@pytest.mark.parametrize(
  'name',
  [
    'resnet/block1/unit01/d/group_norm/gamma',
    'resnet/block1/unit01/ab/group_norm/gamma',
    'resnet/block1/unit01/b/proj/standardized_conv2d/kernel',
    'resnet/blockx/unit01/a/group_norm/gamma',
    'global_step',
  ],
)
def test_a_foreign_name_is_one_line(name):
  template, variables = random_variables(small())
  arrays = written(variables['params']) | {name: np.zeros(3)}
  with pytest.raises(errors.DataError, match=name):
    checkpoints.fill('bit', arrays, template=template)

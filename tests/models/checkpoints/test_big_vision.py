"""ViT from its authors' files: what they hold is written here by hand."""

import warnings

import jax
import numpy as np
import pytest
from flax import serialization, traverse_util

from overlap.core import errors
from overlap.models import checkpoints, vit

HEADS = 2
# The parts of a block in each project.
NUMBERS = {
  'vision_transformer': (1, 2, 3),
  'big_vision': (0, 1, 0),
  'scenic': (0, 1, 0),
}
TIMM_READS = ('vision_transformer', 'big_vision')


def small(**options):
  options = {'depth': 3, 'num_heads': HEADS} | options
  return vit.ViT(num_classes=5, patch_size=16, hidden_size=8, **options)


def random_variables(model):
  template = jax.eval_shape(
    model.init, jax.random.key(0), np.zeros((1, 32, 48, 3), 'f')
  )
  rng = np.random.default_rng(0)
  return template, jax.tree.map(
    lambda leaf: rng.normal(0, 0.7, leaf.shape).astype('f'), template
  )


def written(params, project='vision_transformer', prefix=''):
  """Arrays by name, as the project names them."""
  attention, norm2, mlp = NUMBERS[project]
  positions = 'Transformer/posembed_input/pos_embedding'
  if project == 'big_vision':
    positions = 'pos_embedding'
  head = 'output_projection' if project == 'scenic' else 'head'
  found = {
    'embedding/kernel': params['embed']['kernel'].reshape(16, 16, 3, 8),
    'embedding/bias': params['embed']['bias'],
    positions: params['positions'],
    f'{head}/kernel': params['head']['kernel'],
    f'{head}/bias': params['head']['bias'],
    'Transformer/encoder_norm/scale': params['norm']['scale'],
    'Transformer/encoder_norm/bias': params['norm']['bias'],
  }
  if 'tokens' in params:
    found['cls'] = params['tokens']
  blocks = sorted(name for name in params if name.startswith('block'))
  for i, name in enumerate(blocks):
    block, at = params[name], f'Transformer/encoderblock_{i}'
    heads = f'{at}/MultiHeadDotProductAttention_{attention}'
    qkv, out = block['attention']['qkv'], block['attention']['out']
    for j, part in enumerate(('query', 'key', 'value')):
      columns = slice(8 * j, 8 * j + 8)
      kernel = qkv['kernel'][:, columns].reshape(8, HEADS, 4)
      found[f'{heads}/{part}/kernel'] = kernel
      found[f'{heads}/{part}/bias'] = qkv['bias'][columns].reshape(HEADS, 4)
    found[f'{heads}/out/kernel'] = out['kernel'].reshape(HEADS, 4, 8)
    found[f'{heads}/out/bias'] = out['bias']
    for ours, theirs in [
      ('norm1', 'LayerNorm_0'),
      ('norm2', f'LayerNorm_{norm2}'),
      ('mlp1', f'MlpBlock_{mlp}/Dense_0'),
      ('mlp2', f'MlpBlock_{mlp}/Dense_1'),
    ]:
      for kind, values in block[ours].items():
        found[f'{at}/{theirs}/{kind}'] = values
  return {prefix + name: values for name, values in found.items()}


def joined(arrays):
  """All blocks of one kind of leaf as one array."""
  first = 'Transformer/encoderblock_0/'
  result = {k: v for k, v in arrays.items() if 'encoderblock_' not in k}
  for name in arrays:
    if first in name:
      parts = [arrays[name.replace('_0/', f'_{i}/', 1)] for i in range(3)]
      result[name.replace('encoderblock_0', 'encoderblock')] = np.stack(parts)
  return result


@pytest.mark.parametrize(
  'prefix', ['', 'opt/target/', 'params/', 'params/img/']
)
@pytest.mark.parametrize('project', NUMBERS)
@pytest.mark.parametrize('pool', ['token', 'gap'])
def test_a_file_gives_back_what_was_written(tmp_path, project, prefix, pool):
  template, variables = random_variables(small(pool=pool))
  arrays = written(variables['params'], project, prefix)
  if prefix:
    arrays['opt/state/step'] = np.int32(3)
  np.savez(tmp_path / 'a.npz', **arrays)
  got = checkpoints.load_variables(
    'vit', str(tmp_path / 'a.npz'), template=template
  )
  jax.tree.map(np.testing.assert_array_equal, got, variables)


@pytest.mark.parametrize('project', NUMBERS)
def test_a_checkpoint_of_flax_gives_it_back_too(tmp_path, project):
  template, variables = random_variables(small())
  flat = written(variables['params'], project)
  params = traverse_util.unflatten_dict(flat, sep='/')
  state = {'optimizer': {'target': {'params': params}, 'state': {'step': 3}}}
  (tmp_path / 'checkpoint_3').write_bytes(serialization.to_bytes(state))
  got = checkpoints.load_variables('vit', str(tmp_path), template=template)
  jax.tree.map(np.testing.assert_array_equal, got, variables)


def test_joined_blocks_are_taken_apart():
  template, variables = random_variables(small())
  arrays = joined(written(variables['params'], 'big_vision'))
  assert not any('encoderblock_' in name for name in arrays)
  got = checkpoints.fill('vit', arrays, template=template)
  jax.tree.map(np.testing.assert_array_equal, got, variables)


@pytest.mark.parametrize('project', TIMM_READS)
def test_timm_reads_the_same_from_the_file(tmp_path, project):
  """Its own loader of these files gives the same logits."""
  torch = pytest.importorskip('torch')
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    timm = pytest.importorskip('timm')
  model = small()
  template, variables = random_variables(model)
  path = tmp_path / 'a.npz'
  np.savez(path, **written(variables['params'], project))
  theirs = timm.create_model(
    'vit_tiny_patch16_224',
    num_classes=5,
    depth=3,
    embed_dim=8,
    num_heads=HEADS,
    img_size=(32, 48),
  ).eval()
  theirs.load_pretrained(str(path))
  ours = checkpoints.load_variables('vit', str(path), template=template)
  x = np.random.default_rng(1).normal(size=(3, 32, 48, 3)).astype('f')
  with torch.no_grad():
    want = theirs(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).numpy()
  assert np.std(want, axis=0).mean() > 0.01
  np.testing.assert_allclose(
    jax.jit(model.apply)(ours, x)[0], want, rtol=1e-4, atol=1e-5
  )


@pytest.mark.parametrize(
  'name',
  [
    'pre_logits/kernel',
    'MAPHead_0/probe',
    'Transformer/encoderblock_0/Extra_0/kernel',
    'Transformer/encoderblock_x/LayerNorm_0/scale',
    'Transformer/encoderblock_0/MultiHeadDotProductAttention_2/query/kernel',
  ],
)
def test_a_foreign_name_is_one_line(name):
  template, variables = random_variables(small())
  arrays = written(variables['params']) | {name: np.zeros(3)}
  with pytest.raises(errors.DataError, match=name):
    checkpoints.fill('vit', arrays, template=template)


@pytest.mark.parametrize('part', ['query', 'key', 'value'])
def test_a_missing_part_of_an_attention_is_named(part):
  template, variables = random_variables(small())
  arrays = written(variables['params'])
  at = 'Transformer/encoderblock_1/MultiHeadDotProductAttention_1'
  del arrays[f'{at}/{part}/bias']
  with pytest.raises(errors.DataError, match=r'block2.*bias'):
    checkpoints.fill('vit', arrays, template=template)

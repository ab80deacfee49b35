"""Options that follow from the config.json beside weights, or from names."""

import dataclasses
import json
import warnings

import numpy as np
import pytest
import safetensors.numpy

from overlap import models
from overlap.core import errors
from overlap.models import checkpoints
from overlap.models.checkpoints import timm_names


@pytest.fixture
def weights(tmp_path):
  """Writes weights that only have a name, with a config beside them."""

  def write(config=None, name='w.safetensors', at='config.json', **arrays):
    arrays = arrays or {'x': np.zeros(1, np.float32)}
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(safetensors.numpy.save(arrays))
    if config is not None:
      text = config if isinstance(config, str) else json.dumps(config)
      (path.parent / at).write_text(text)
    return str(path)

  return write


CLIP = {
  'model_type': 'clip',
  'vision_config': {
    'hidden_act': 'gelu',
    'num_attention_heads': 2,
    'hidden_size': 32,
    'intermediate_size': 64,
    'patch_size': 8,
    'num_hidden_layers': 3,
  },
  'projection_dim': 16,
}
OPEN_CLIP = {
  'model_cfg': {
    'embed_dim': 16,
    'vision_cfg': {
      'image_size': 32,
      'width': 32,
      'layers': 3,
      'patch_size': 8,
      'head_width': 16,
      'mlp_ratio': 2.0,
    },
    'text_cfg': {'width': 32, 'heads': 2, 'layers': 2, 'vocab_size': 99},
  },
  'preprocess_cfg': {},
}
OF_CLIP = {
  'activation': 'gelu',
  'num_heads': 2,
  'hidden_size': 32,
  'mlp_ratio': 2.0,
  'patch_size': 8,
  'depth': 3,
  'projection_size': 16,
}


@pytest.mark.parametrize(
  ('family', 'config', 'options'),
  [
    ('clip', CLIP, OF_CLIP),
    (
      'clip',
      {'model_type': 'clip_vision_model', 'projection_dim': 16}
      | CLIP['vision_config'],
      OF_CLIP,
    ),
    ('clip', OPEN_CLIP, OF_CLIP),
    (
      'vit',
      {
        'model_type': 'vit',
        'hidden_size': 24,
        'num_hidden_layers': 2,
        'num_attention_heads': 3,
        'intermediate_size': 48,
        'hidden_act': 'gelu_new',
        'layer_norm_eps': 1e-5,
        'patch_size': 4,
      },
      {
        'hidden_size': 24,
        'depth': 2,
        'num_heads': 3,
        'mlp_ratio': 2.0,
        'activation': 'gelu_tanh',
        'epsilon': 1e-5,
        'patch_size': 4,
      },
    ),
    (
      'vit',
      {'model_type': 'deit'},
      {
        'hidden_size': 768,
        'depth': 12,
        'num_heads': 12,
        'mlp_ratio': 4.0,
        'activation': 'gelu',
        'epsilon': 1e-12,
        'patch_size': 16,
      },
    ),
    (
      'resnet',
      {'model_type': 'resnet', 'depths': [2, 2], 'layer_type': 'basic'},
      {'stage_sizes': (2, 2), 'block': 'basic', 'width': 64},
    ),
    (
      'efficientnet',
      {'architecture': 'tf_efficientnet_b3'},
      {'variant': 3, 'padding': 'same', 'epsilon': 1e-3},
    ),
    (
      'efficientnet',
      {'architecture': 'efficientnet_b0'},
      {'variant': 0, 'padding': 'half', 'epsilon': 1e-5},
    ),
    (
      'mobilenet_v2',
      {'architecture': 'mobilenetv2_120d'},
      {'width_multiplier': 1.2, 'depth_multiplier': 1.4, 'scale_ends': False},
    ),
    ('mobilenet_v2', {'architecture': 'mobilenetv2_050'},
     {'width_multiplier': 0.5}),
    ('densenet', {'architecture': 'densenet121'}, {'blur_pool': False}),
    (
      'vit',
      {'architecture': 'vit_small_patch16_224', 'global_pool': 'token'},
      {'num_heads': 6, 'activation': 'gelu', 'pool': 'token'},
    ),
    (
      'vit',
      {
        'architecture': 'vit_small_patch16_224',
        'model_args': {'num_heads': 3, 'img_size': 32, 'global_pool': 'avg'},
      },
      {'num_heads': 3, 'activation': 'gelu', 'pool': 'gap'},
    ),
    ('resnet', {'architecture': 'resnet50'}, {}),
    ('resnet', {'unknown': 5}, {}),
    ('resnet', None, {}),
  ],
)  # fmt: skip
def test_what_is_known_is_taken(weights, family, config, options):
  assert checkpoints.follow(family, weights(config), {}) == options
  given = {name: options[name] for name in list(options)[:1]}
  assert checkpoints.follow(family, weights(config), given) == options
  for name in options:
    other = 'other' if isinstance(options[name], str) else 77
    with pytest.raises(errors.DataError) as caught:
      checkpoints.follow(family, weights(config), {name: other})
    text = str(caught.value)
    assert f'The option {name} of {family} must be {options[name]!r}' in text
    assert 'config.json' in text
    assert f'got {other!r}: leave it out' in text
    assert text.endswith('overlap ingest.')


def test_open_clips_config_by_its_own_name(weights):
  path = weights(OPEN_CLIP, at='open_clip_config.json')
  assert checkpoints.follow('clip', path, {}) == OF_CLIP
  quick = json.loads(json.dumps(OPEN_CLIP))
  quick['model_cfg']['quick_gelu'] = True
  path = weights(quick, at='open_clip_config.json')
  assert checkpoints.follow('clip', path, {})['activation'] == 'quick_gelu'


@pytest.mark.parametrize(
  ('family', 'config', 'says'),
  [
    ('clip', {'model_type': 'siglip'}, "'siglip' is the config of no model"),
    ('vit', {'model_type': 'dinov2'}, 'and not of vit'),
    ('resnet', {'model_type': 'vit'}, 'is the config of vit, and not of resn'),
    ('vit', {'model_type': ['vit']}, 'and not of vit'),
    ('vit', {'model_type': 'vit', 'hidden_act': 'relu'}, "got 'relu'"),
    ('vit', {'model_type': 'vit', 'hidden_size': 0}, 'positive numbers'),
    ('vit', {'model_type': 'vit', 'hidden_size': 'a'}, 'positive numbers'),
    (
      'clip',
      {'model_type': 'clip', 'vision_config': {'layer_norm_eps': 1e-6}},
      'layer_norm_eps of a released clip must be 1e-05',
    ),
    (
      'resnet',
      {'model_type': 'resnet', 'downsample_in_bottleneck': True},
      'downsample_in_bottleneck of a ResNet must be False',
    ),
    ('resnet', {'model_type': 'resnet', 'depths': 5}, 'must be a list'),
    ('resnet', {'architecture': 'resnetblur50'}, "'resnetblur50' is another"),
    ('resnet', {'architecture': 'resnetblur50.bt_in1k'}, 'is another'),
    ('resnet', {'architecture': 'resnetaa34d'}, 'is another'),
    ('vit', {'architecture': 'vit_base_patch16_rpn_224'}, 'is another'),
    ('resnet', {'architecture': 5}, 'must be text'),
    (
      'resnet',
      {'architecture': 'resnet50', 'model_args': {'act_layer': 'silu'}},
      "got act_layer='silu'",
    ),
    (
      'vit',
      {'architecture': 'vit_base_patch16_224', 'global_pool': 'map'},
      "got 'map'",
    ),
    ('clip', {'model_cfg': {'embed_dim': 5}}, 'sizes of both towers'),
    (
      'clip',
      {'model_cfg': {'vision_cfg': {'timm_model_name': 'resnet50'}}},
      "must have no 'timm_model_name'",
    ),
    ('resnet', '{', 'must hold JSON'),
    ('resnet', '[' * 10**5, 'must hold JSON'),
    ('resnet', '[]', 'must hold a JSON object'),
  ],
)
def test_a_config_of_another_network_is_one_line(weights, family, config, says):
  path = weights(config)
  with pytest.raises(errors.DataError, match=says) as caught:
    checkpoints.follow(family, path, {})
  text = str(caught.value)
  assert 'config.json' in text
  assert path in text
  assert text.endswith('overlap ingest.')


@pytest.mark.parametrize(
  'name',
  [
    'tf_efficientnet_b0.ns_jft_in1k/model.safetensors',
    'tf_efficientnet_b0_ns-c0e6a31c.safetensors',
    'efficientnet_b1/tf_efficientnet_b0.safetensors',
  ],
)
def test_the_name_of_a_file_tells_padding(weights, name):
  path = weights(name=name)
  assert checkpoints.follow('efficientnet', path, {}) == {
    'variant': 0,
    'padding': 'same',
    'epsilon': 1e-3,
  }


def test_the_name_of_a_file_tells_of_blurring(weights):
  path = weights(name='resnetblur50-84f4748f.safetensors')
  with pytest.raises(errors.DataError, match='another network than a resnet'):
    checkpoints.follow('resnet', path, {})


def test_the_architecture_in_a_training_scripts_file(tmp_path):
  torch = pytest.importorskip('torch')
  path = tmp_path / 'w.pth'
  state = {'a': torch.ones(1)}
  torch.save({'arch': 'tf_efficientnet_b2', 'state_dict': state}, path)
  got = checkpoints.follow('efficientnet', str(path), {})
  assert (got['variant'], got['padding']) == (2, 'same')
  torch.save({'arch': 'resnetblur50', 'state_dict': state}, path)
  with pytest.raises(errors.DataError, match=r"'arch' in .*another network"):
    checkpoints.follow('resnet', str(path), {})
  torch.save({'arch': 'my own', 'state_dict': state}, path)
  assert checkpoints.follow('resnet', str(path), {'width': 8}) == {'width': 8}


def of_vit(**extra):
  arrays = {
    'patch_embed.proj.weight': (4, 3, 2, 2),
    'pos_embed': (1, 5, 4),
    'norm.weight': (4,),
    'cls_token': (1, 1, 4),
  } | extra
  return {name: np.zeros(shape, 'f') for name, shape in arrays.items() if shape}


@pytest.mark.parametrize(
  ('extra', 'pool', 'options'),
  [
    ({}, None, {}),
    ({}, 'token', {'pool': 'token'}),
    ({}, 'avg', {'pool': 'gap_with_token'}),
    ({'cls_token': None}, None, {'pool': 'gap'}),
    ({'cls_token': None}, 'avg', {'pool': 'gap'}),
    ({'fc_norm.weight': (4,)}, None, {'fc_norm': True,
                                      'pool': 'gap_with_token'}),
    ({'fc_norm.weight': (4,)}, 'token', {'fc_norm': True, 'pool': 'token'}),
    (
      {'fc_norm.weight': (4,), 'cls_token': None},
      None,
      {'fc_norm': True, 'pool': 'gap'},
    ),
    ({'reg_token': (1, 3, 4)}, None, {'registers': 3}),
    ({'dist_token': (1, 1, 4)}, None, {'registers': 1}),
    (
      {'dist_token': (1, 1, 4), 'head_dist.weight': (7, 4)},
      None,
      {'distilled': True},
    ),
  ],
)  # fmt: skip
def test_names_of_a_vits_tensors(weights, extra, pool, options):
  config = pool and {'architecture': 'vit_other', 'global_pool': pool}
  path = weights(config, **of_vit(**extra))
  assert checkpoints.follow('vit', path, {}) == options
  if options.get('pool') == 'gap_with_token':
    with pytest.raises(errors.DataError, match="pool of vit must be 'gap_with"):
      checkpoints.follow('vit', path, {'pool': 'token'})


def test_what_nothing_says_is_logged(weights, caplog):
  path = weights(**of_vit())
  with caplog.at_level('INFO'):
    checkpoints.follow('vit', path, {'num_heads': 2})
  assert caplog.messages == [
    f"{path}: num_heads=2 (given), pool='token' (default, not in the file), "
    "activation='gelu' (default, not in the file), epsilon=1e-06 (default, not "
    'in the file)'
  ]


def test_a_module_that_did_not_follow_is_refused(weights):
  """Where the config asks for another activation than the default."""
  path = weights(CLIP)
  with pytest.raises(errors.DataError, match="must be 'gelu'"):
    checkpoints.load_variables('clip', path, template={})
  with pytest.raises(errors.DataError, match='num_heads of clip must be 2'):
    checkpoints.load_variables(
      'clip', path, template={}, options={'num_heads': 4}
    )


def test_options_are_those_of_the_modules():
  for family, config in (
    ('clip', CLIP),
    ('vit', {'model_type': 'vit'}),
    ('resnet', {'model_type': 'resnet'}),
  ):
    options = checkpoints.following.descriptions.describe(family, 'x', config)
    options = {name: value for name, (value, _) in options.items()}
    module = models.build(family, num_classes=2, **options)
    fields = {field.name for field in dataclasses.fields(module)}
    assert options.keys() <= fields


_ACTIVATIONS = {
  'GELU': 'gelu',
  'GELUTanh': 'gelu_tanh',
  'QuickGELU': 'quick_gelu',
}


@pytest.mark.slow
def test_names_tell_what_timms_own_modules_have():
  """Of every ViT and EfficientNet: heads, activation, padding, epsilon."""
  torch = pytest.importorskip('torch')
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    timm = pytest.importorskip('timm')
  checked = {'vit': 0, 'efficientnet': 0}
  for name in timm.list_models(['vit_*', 'deit*', '*efficientnet_b?']):
    family = 'vit' if name.startswith(('vit', 'deit')) else 'efficientnet'
    try:
      options = timm_names.options(family, name)
    except errors.DataError:
      continue
    if not options:
      continue
    with torch.device('meta'), warnings.catch_warnings():
      warnings.simplefilter('ignore')
      model = timm.create_model(name)
    if family == 'vit' and hasattr(model, 'blocks'):
      block = model.blocks[0]
      heads = getattr(getattr(block, 'attn', None), 'num_heads', None)
      activation = type(getattr(getattr(block, 'mlp', None), 'act', None))
      if heads is None or activation.__name__ not in _ACTIVATIONS:
        continue
      assert (name, options['num_heads'][0]) == (name, heads)
      expected = _ACTIVATIONS[activation.__name__]
      assert (name, options['activation'][0]) == (name, expected)
    elif family == 'efficientnet':
      same = 'Same' in type(model.conv_stem).__name__
      assert (name, options['padding'][0]) == (name, 'same' if same else 'half')
      assert options['epsilon'][0] == model.bn1.eps
    checked[family] += 1
  assert checked['vit'] > 50
  assert checked['efficientnet'] == 16


def test_a_study_s_own_model_says_what_it_was_made_with(weights):
  architecture = {'name': 'vit', 'options': {'num_heads': 2}}
  content = {
    'settings': {'architecture': architecture},
    'options': {'num_heads': 2, 'pool': 'gap_with_token', 'depth': 3},
  }
  path = weights(content, at='model.json')
  known = {
    'num_heads': 2,
    'pool': 'gap_with_token',
    'activation': 'gelu',
    'epsilon': 1e-6,
  }
  assert checkpoints.follow('vit', path, {'depth': 2}) == known | {'depth': 2}
  with pytest.raises(errors.DataError, match='num_heads of vit must be 2'):
    checkpoints.follow('vit', path, {'num_heads': 4})
  assert checkpoints.follow('resnet', path, {'width': 8}) == {'width': 8}

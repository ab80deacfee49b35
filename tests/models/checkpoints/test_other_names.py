"""Weights as transformers and OpenAI name them, against these libraries."""

import functools
import warnings

import jax
import numpy as np
import pytest

from overlap import models
from overlap.models import checkpoints, clip_text

torch = pytest.importorskip('torch')
with warnings.catch_warnings():
  warnings.simplefilter('ignore')
  transformers = pytest.importorskip('transformers')
  timm = pytest.importorskip('timm')
  # Looked up by name, so that what they import is imported here.
  for _name in ('CLIP', 'DeiT', 'ResNet', 'ViT'):
    getattr(transformers, f'{_name}Model')
CLASSES = 3


def randomise(model):
  generator = torch.Generator().manual_seed(0)
  with torch.no_grad():
    for name, values in model.state_dict().items():
      if not values.is_floating_point():
        continue
      draw = torch.randn(values.shape, generator=generator)
      if values.ndim == 1 and name.endswith(('weight', 'running_var')):
        draw = 0.5 + torch.rand(values.shape, generator=generator)
      elif values.ndim in (2, 4):
        # So that ReLUs leave as much of the images as there was.
        draw *= (2 / values[0].numel()) ** 0.5
      else:
        draw *= 0.3
      values.copy_(draw)
  return model.eval()


def images(side=32):
  x = np.random.default_rng(1).normal(size=(3, side, side, 3))
  return x.astype(np.float32)


def as_torch(x):
  return torch.from_numpy(x.transpose(0, 3, 1, 2).copy())


def ours(family, path, x, **given):
  """Logits and features of a module whose options follow from the weights."""
  options = checkpoints.follow(family, path, given)
  module = models.build(family, num_classes=CLASSES, **options)
  template = jax.eval_shape(module.init, jax.random.key(0), x)
  headless = family == 'clip'
  variables = checkpoints.load_variables(
    family, path, template=template, options=options, skip_head=headless
  )
  if headless:
    shape = template['params']['head']['kernel'].shape
    variables['params']['head'] = {
      'kernel': np.zeros(shape, 'f'), 'bias': np.zeros(CLASSES, 'f'),
    }  # fmt: skip
  return jax.jit(module.apply)(variables, x)


def assert_close(got, expected):
  expected = expected.detach().numpy()
  assert np.std(expected, axis=0).mean() > 0.01 * np.abs(expected).max()
  np.testing.assert_allclose(
    got, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max()
  )


VIT = dict(
  hidden_size=24,
  num_hidden_layers=2,
  num_attention_heads=3,
  intermediate_size=48,
  image_size=32,
  patch_size=8,
  num_labels=CLASSES,
)
RESNET = dict(depths=[2, 1], hidden_sizes=[8, 16], embedding_size=8)


@pytest.mark.parametrize(
  ('family', 'kind', 'config', 'changes'),
  [
    ('vit', 'ViTForImageClassification', 'ViTConfig', VIT),
    (
      'vit',
      'ViTForImageClassification',
      'ViTConfig',
      VIT
      | {'hidden_act': 'gelu_new', 'layer_norm_eps': 0.1, 'qkv_bias': False},
    ),
    ('vit', 'DeiTForImageClassification', 'DeiTConfig', VIT),
    ('vit', 'DeiTForImageClassificationWithTeacher', 'DeiTConfig', VIT),
    (
      'resnet',
      'ResNetForImageClassification',
      'ResNetConfig',
      RESNET | {'layer_type': 'basic', 'num_labels': CLASSES},
    ),
    (
      'resnet',
      'ResNetForImageClassification',
      'ResNetConfig',
      RESNET | {'hidden_sizes': [32, 64], 'num_labels': CLASSES},
    ),
  ],
)
@pytest.mark.parametrize('shard', ['10GB', '8KB'])
def test_a_folder_of_transformers(
  tmp_path, family, kind, config, changes, shard
):
  config = getattr(transformers, config)(**changes)
  theirs = randomise(getattr(transformers, kind)(config))
  theirs.save_pretrained(tmp_path, max_shard_size=shard)
  sharded = (tmp_path / 'model.safetensors.index.json').exists()
  assert sharded == (shard == '8KB')
  x = images()
  logits, _ = ours(family, str(tmp_path), x)
  assert_close(logits, theirs(as_torch(x)).logits)


@pytest.mark.parametrize('activation', ['quick_gelu', 'gelu'])
def test_both_towers_follow_the_config(tmp_path, activation):
  tower = dict(
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    hidden_act=activation,
    projection_dim=16,
  )
  config = transformers.CLIPConfig(
    projection_dim=16,
    vision_config=tower | dict(image_size=32, patch_size=8),
    text_config=tower | dict(vocab_size=50, max_position_embeddings=9),
  )
  theirs = randomise(transformers.CLIPModel(config))
  theirs.save_pretrained(tmp_path)
  x = images()
  _, features = ours('clip', str(tmp_path), x)
  expected = theirs.get_image_features(as_torch(x))
  assert_close(features, expected / expected.norm(dim=1, keepdim=True))
  options = checkpoints.following.follow('clip', str(tmp_path), {})
  assert options['activation'] == activation


# Sizes of a model with OpenAI's names.
WIDTH, HEADS, DEPTH, JOINED, LENGTH, WORDS = 24, 2, 2, 16, 7, 11


def openai_state():
  generator = torch.Generator().manual_seed(0)

  def draw(*shape):
    return 0.3 * torch.randn(shape, generator=generator)

  def blocks(at):
    for i in range(DEPTH):
      block = f'{at}transformer.resblocks.{i}.'
      for name, shape in {
        'ln_1.weight': (WIDTH,),
        'ln_1.bias': (WIDTH,),
        'attn.in_proj_weight': (3 * WIDTH, WIDTH),
        'attn.in_proj_bias': (3 * WIDTH,),
        'attn.out_proj.weight': (WIDTH, WIDTH),
        'attn.out_proj.bias': (WIDTH,),
        'ln_2.weight': (WIDTH,),
        'ln_2.bias': (WIDTH,),
        'mlp.c_fc.weight': (4 * WIDTH, WIDTH),
        'mlp.c_fc.bias': (4 * WIDTH,),
        'mlp.c_proj.weight': (WIDTH, 4 * WIDTH),
        'mlp.c_proj.bias': (WIDTH,),
      }.items():
        yield block + name, draw(*shape)

  return {
    'positional_embedding': draw(LENGTH, WIDTH),
    'text_projection': draw(WIDTH, JOINED),
    'logit_scale': torch.tensor(4.6),
    'visual.class_embedding': draw(WIDTH),
    'visual.positional_embedding': draw(17, WIDTH),
    'visual.proj': draw(WIDTH, JOINED),
    'visual.conv1.weight': draw(WIDTH, 3, 8, 8),
    'visual.ln_pre.weight': draw(WIDTH),
    'visual.ln_pre.bias': draw(WIDTH),
    **dict(blocks('visual.')),
    'visual.ln_post.weight': draw(WIDTH),
    'visual.ln_post.bias': draw(WIDTH),
    **dict(blocks('')),
    'token_embedding.weight': draw(WORDS, WIDTH),
    'ln_final.weight': draw(WIDTH),
    'ln_final.bias': draw(WIDTH),
  }


GIVEN = dict(
  patch_size=8,
  hidden_size=WIDTH,
  depth=DEPTH,
  num_heads=HEADS,
  projection_size=JOINED,
)


@pytest.mark.parametrize('activation', ['quick_gelu', 'gelu'])
def test_openais_image_tower_equals_timms_reading(tmp_path, activation):
  vision_transformer = timm.models.vision_transformer
  state = openai_state()
  theirs = vision_transformer.VisionTransformer(
    img_size=32,
    patch_size=8,
    embed_dim=WIDTH,
    depth=DEPTH,
    num_heads=HEADS,
    num_classes=JOINED,
    pre_norm=True,
    act_layer=activation,
    norm_layer=functools.partial(torch.nn.LayerNorm, eps=1e-5),
  ).eval()
  theirs.load_state_dict(
    vision_transformer.checkpoint_filter_fn(dict(state), theirs)
  )
  path = tmp_path / 'w.pt'
  torch.save(state, path)
  x = images()
  _, features = ours('clip', str(path), x, activation=activation, **GIVEN)
  expected = theirs(as_torch(x))
  assert_close(features, expected / expected.norm(dim=1, keepdim=True))


def openais_text_features(state, tokens):
  """OpenAI's text tower, restated with PyTorch's own attention."""
  norm = functools.partial(
    torch.nn.functional.layer_norm, normalized_shape=[WIDTH]
  )
  x = state['token_embedding.weight'][tokens]
  x = x + state['positional_embedding'][: tokens.shape[1]]
  mask = torch.full((tokens.shape[1],) * 2, float('-inf')).triu(1)
  for i in range(DEPTH):
    of = {
      name.removeprefix(f'transformer.resblocks.{i}.'): values
      for name, values in state.items()
    }
    y = norm(x, weight=of['ln_1.weight'], bias=of['ln_1.bias'])
    attention = torch.nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
    attention.load_state_dict(
      {
        name.removeprefix('attn.'): values
        for name, values in of.items()
        if name.startswith('attn.')
      }
    )
    x = x + attention(y, y, y, attn_mask=mask, need_weights=False)[0]
    y = norm(x, weight=of['ln_2.weight'], bias=of['ln_2.bias'])
    y = y @ of['mlp.c_fc.weight'].T + of['mlp.c_fc.bias']
    y = y * torch.sigmoid(1.702 * y)
    x = x + y @ of['mlp.c_proj.weight'].T + of['mlp.c_proj.bias']
  x = norm(x, weight=state['ln_final.weight'], bias=state['ln_final.bias'])
  # A text ends with the largest token.
  x = x[torch.arange(len(x)), tokens.argmax(dim=1)]
  return x @ state['text_projection']


@pytest.mark.parametrize('apart', [False, True])
def test_openais_text_tower(tmp_path, apart):
  state = openai_state()
  tokens = np.array([[8, 3, 4, 10, 0, 0], [8, 5, 10, 0, 0, 0]])
  expected = openais_text_features(state, torch.from_numpy(tokens))
  if apart:  # As open_clip's models with a text tower of its own.
    state = {
      name if name.startswith(('visual', 'logit')) else f'text.{name}': values
      for name, values in state.items()
    }
  module = clip_text.CLIPText(
    vocab_size=WORDS,
    context_length=LENGTH,
    hidden_size=WIDTH,
    depth=DEPTH,
    num_heads=HEADS,
    projection_size=JOINED,
    end_token=WORDS - 1,
  )
  path = tmp_path / 'w.pt'
  torch.save(state, path)
  template = jax.eval_shape(module.init, jax.random.key(0), tokens)
  variables = checkpoints.fill(
    'clip_text', checkpoints.load_state(path), template=template
  )
  assert_close(jax.jit(module.apply)(variables, tokens), expected)

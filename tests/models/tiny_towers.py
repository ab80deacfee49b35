"""Small image-text models of transformers with random weights, and parity."""

import functools
import json
import warnings

import jax
import numpy as np

LETTERS = 'abcdefghilmoprst'
MERGES = ('a t</w>', 'c at</w>', 'o f</w>', 'd o', 'do g</w>')
# Of the BERT tokenizer, which splits 'photos' to 'photo' and '##s'.
WORDS = ('[PAD]', '[UNK]', '[CLS]', '[SEP]', 'a', 'photo', 'of', 'the') + (
  'cat', 'dog', 'bird', 'small', '##s', '.', 'an',
)  # fmt: skip


def randomise(theirs):
  """Draws weights of a trained scale, statistics of norms included."""
  import torch

  torch.manual_seed(0)
  with torch.no_grad():
    for name, parameter in theirs.named_parameters():
      if parameter.ndim == 1 and name.endswith('weight'):
        parameter.uniform_(0.5, 1.5)
      elif parameter.ndim == 1:
        parameter.normal_(0, 0.3)
      elif parameter.ndim == 2 and 'embedding' in name:
        parameter.normal_(0, 1)
      elif parameter.ndim > 1:
        # Convolutions are scaled up, so that squeeze-and-excite, which halves
        # on average, leaves something of the images.
        gain = 1.5 if parameter.ndim == 4 else 1
        fan_in = parameter.numel() / len(parameter)
        parameter.normal_(0, gain * fan_in**-0.5)
    for name, buffer in theirs.named_buffers():
      if name.endswith('running_mean'):
        buffer.normal_(0, 0.3)
      elif name.endswith('running_var'):
        buffer.uniform_(0.5, 1.5)
  return theirs.eval()


def settle(theirs, images):
  """Sets the statistics of batch norms to those of images [n, H, W, 3].

  Without, what dozens of random layers make of images grows from each to the
  next, until the gates of squeeze-and-excite are 0 or 1 and a last digit of
  one of them, which differs from processor to processor, decides which.
  """
  import torch

  norms = [
    module
    for module in theirs.modules()
    if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)
  ]
  for norm in norms:
    norm.momentum = 1.0
    norm.train()
  with torch.no_grad():
    theirs.get_image_features(torch.from_numpy(images.transpose(0, 3, 1, 2)))
  return theirs.eval()


def state_of(theirs):
  """Its tensors by name."""
  return {name: v.numpy() for name, v in theirs.state_dict().items()}


@functools.cache
def clip(**changes):
  """A `CLIPModel` on images of 32×32 pixels and 40 tokens."""
  import transformers

  text = dict(
    vocab_size=40,
    hidden_size=16,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=2,
    max_position_embeddings=32,
    projection_dim=12,
    hidden_act=changes.get('hidden_act', 'quick_gelu'),
    bos_token_id=38,
    eos_token_id=changes.get('eos_token_id', 39),
    pad_token_id=39,
  )
  vision = dict(
    hidden_size=24,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=3,
    image_size=32,
    patch_size=8,
    projection_dim=12,
    hidden_act=changes.get('hidden_act', 'quick_gelu'),
  )
  config = transformers.CLIPConfig(
    text_config=text, vision_config=vision, projection_dim=12
  )
  return randomise(transformers.CLIPModel(config))


def assert_same_images(ours, theirs, images):
  """Compares functions of images, and a scalar's gradient by the images.

  Args:
    ours: images [n, height, width, 3] to features [n, D].
    theirs: torch images [n, 3, height, width] to the same.
    images: NumPy, as ours takes them.
  """
  import torch

  x = torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).requires_grad_()
  want = theirs(x)
  weights = np.random.default_rng(1).normal(size=want.shape[1]).astype('f')
  (want @ torch.from_numpy(weights)).sum().backward()

  def scalar(x):
    features = ours(x)
    return (features @ weights).sum(), features

  slopes, got = jax.jit(jax.grad(scalar, has_aux=True))(images)
  assert_close(got, want.detach().numpy(), 1e-4)
  assert_close(slopes, x.grad.numpy().transpose(0, 2, 3, 1), 1e-3)


def assert_close(ours, want, part):
  """Within a part of the largest; and examples differ, so that it says so."""
  assert np.std(want, axis=0).mean() > 0.01 * np.abs(want).mean()
  np.testing.assert_allclose(
    ours, want, rtol=part, atol=part * np.abs(want).max()
  )


@functools.cache
def align():
  """An `AlignModel` of half the width of EfficientNet-B0 and 40 tokens."""
  import transformers

  text = dict(
    vocab_size=40,
    hidden_size=16,
    intermediate_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    max_position_embeddings=20,
  )
  vision = dict(width_coefficient=0.5, depth_coefficient=0.5, hidden_dim=160)
  config = transformers.AlignConfig(
    text_config=text, vision_config=vision, projection_dim=160
  )
  return randomise(transformers.AlignModel(config))


def write_clip_tokenizer(folder):
  """The files of a tokenizer of 40 tokens, the last of which ends a text."""
  merged = [''.join(pair.split()) for pair in MERGES]
  tokens = [*LETTERS, *(f'{letter}</w>' for letter in LETTERS), *merged]
  tokens += ['.</w>', '<|startoftext|>', '<|endoftext|>']
  assert len(tokens) == 40
  vocab = {token: i for i, token in enumerate(tokens)}
  (folder / 'vocab.json').write_text(json.dumps(vocab))
  merges = '\n'.join(['#version: 0.2', *MERGES])
  (folder / 'merges.txt').write_text(f'{merges}\n')


def write_align_tokenizer(folder):
  """The file of a tokenizer of the words above."""
  (folder / 'vocab.txt').write_text('\n'.join(WORDS) + '\n')


def write(theirs, folder):
  """Their weights and config.json, and a tokenizer's files."""
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    theirs.save_pretrained(folder)
  is_clip = type(theirs).__name__ == 'CLIPModel'
  (write_clip_tokenizer if is_clip else write_align_tokenizer)(folder)


def tokenizer_of(theirs, folder):
  """Transformers' own, which is not the fast one that we load."""
  import transformers

  is_clip = type(theirs).__name__ == 'CLIPModel'
  name = 'CLIPTokenizer' if is_clip else 'BertTokenizer'
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    return getattr(transformers, name).from_pretrained(folder)


def text_features(theirs, folder, texts):
  """By transformers alone."""
  import torch

  inputs = tokenizer_of(theirs, folder)(
    list(texts), padding=True, return_tensors='pt'
  )
  with torch.no_grad():
    return theirs.get_text_features(**inputs).numpy()


def zero_shot_logits(theirs, folder, texts, images):
  """By transformers alone, one text a class; images [n, h, w, 3]."""
  import torch

  inputs = tokenizer_of(theirs, folder)(
    list(texts), padding=True, return_tensors='pt'
  )
  pixels = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
  with torch.no_grad():
    return theirs(pixel_values=pixels, **inputs).logits_per_image.numpy()

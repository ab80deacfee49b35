"""Text towers trained from scratch, and their tokenizers."""

from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from overlap.catalog import prompts
from overlap.core import errors, lookup
from overlap.models import (
  byte_tokenizer,
  text_encoder,
  tokenizers,
  transformer,
)
from overlap.models.byte_tokenizer import ByteTokenizer
from overlap.models.tokenizers import Tokenizer

# Byte tokenizer, and tokenizers read from `head.text_folder`, by family.
TOKENIZERS = ('bytes', *tokenizers.KINDS)

AnyTokenizer = ByteTokenizer | Tokenizer


def check_texts(name: str, settings: Mapping[str, Any]) -> None:
  """Checks settings before any file is read.

  Args:
    name: name of the model.
    settings: config of the model.

  Raises:
    UsageError: the tokenizer or text tower is unknown, there are no steps, or
      a value is out of range.
  """
  at, given = f'config.models.{name}', settings['image_text']
  lookup.check_choice(
    f'tokenizer (in {at}.image_text)', given['tokenizer'], TOKENIZERS
  )
  lookup.check_choice(
    f'text tower (in {at}.image_text)',
    given['text_tower'],
    text_encoder.TOWERS,
  )
  if given['total_steps'] < 1:
    raise errors.UsageError(
      f"{at}.image_text.total_steps must be positive where method='image_text',"
      f' got {given["total_steps"]}.'
    )
  if not given['temperature'] >= 0.01:
    raise errors.UsageError(
      f'{at}.image_text.temperature must be at least 0.01, got '
      f'{given["temperature"]}.'
    )
  if given['tokenizer'] != 'bytes' and not settings['head']['text_folder']:
    raise errors.UsageError(
      f"{at}.head.text_folder must be a folder of a tokenizer's files where "
      f"image_text.tokenizer={given['tokenizer']!r}, got ''."
    )
  byte_tokenizer.check_context_length(
    given['context_length'], f'{at}.image_text.context_length'
  )
  prompts.sentences(given['templates'])


def make_tokenizer(settings: Mapping[str, Any]) -> AnyTokenizer:
  """Returns the tokenizer of a model's settings.

  Raises:
    UsageError, DataError: its files are missing or damaged.
  """
  given = settings['image_text']
  if given['tokenizer'] == 'bytes':
    return ByteTokenizer(given['context_length'])
  return tokenizers.load(
    given['tokenizer'],
    settings['head']['text_folder'],
    given['context_length'],
  )


def make_tower(
  settings: Mapping[str, Any], tokenizer: AnyTokenizer, *, projection_size: int
) -> nn.Module:
  """Returns the text tower of a model's settings.

  Args:
    settings: config of the model.
    tokenizer: tokenizer of the captions.
    projection_size: size of the features, equal to the image tower's.
  """
  given = settings['image_text']
  ends = {'end_token': tokenizer.end_token}
  return lookup.lookup('text tower', given['text_tower'], text_encoder.TOWERS)(
    vocab_size=tokenizer.vocab_size,
    context_length=given['context_length'],
    hidden_size=given['hidden_size'],
    depth=given['depth'],
    num_heads=given['num_heads'],
    projection_size=projection_size,
    dtype=jnp.dtype(settings['dtype']).type,
    **(ends if given['text_tower'] == 'clip' else {}),
  )


def encode(
  tokenizer: AnyTokenizer, captions: Sequence[str]
) -> dict[str, np.ndarray]:
  """Encodes captions as 'tokens' int32 and 'mask' bool [captions, length].

  The length is always `context_length`, since the arrays of all processes must
  have the same shape; longer texts are truncated.
  """
  ids, mask = tokenizer(captions, cut=True)
  pad = ((0, 0), (0, tokenizer.context_length - ids.shape[1]))
  return {'tokens': np.pad(ids, pad), 'mask': np.pad(mask, pad)}


def widen(params: Any) -> Any:
  """Rescales a transformer's initial kernels to the scale of its width.

  The initial standard deviation is 0.02, which suits wide transformers: in a
  narrow one all texts get similar features, and a contrastive loss has no
  signal to start from. As in CLIP, kernels get 1 / sqrt(inputs).
  """

  def scaled(path: Any, leaf: Any) -> Any:
    if path[-1].key != 'kernel':
      return leaf
    inputs = leaf.size // leaf.shape[-1]
    return leaf / (transformer.INIT_DEVIATION * inputs**0.5)

  return jax.tree_util.tree_map_with_path(scaled, params)

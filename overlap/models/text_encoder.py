"""Text towers with weights and tokenizer, for encoding texts."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from etils import epath

from overlap.core import errors, files, lookup
from overlap.models import checkpoints, options, tokenizers
from overlap.models.checkpoints import configs, descriptions, places
from overlap.models.tokenizers import Tokens

# Text towers by the name of the image tower's model.
TOWERS = {
  'clip': 'overlap.models.clip_text:CLIPText',
  'align': 'overlap.models.bert:BERTText',
}
_SCALES = {
  'clip': 'overlap.models.checkpoints.clip:scale',
  'align': 'overlap.models.checkpoints.align:scale',
}


@functools.partial(jax.jit, static_argnames='model')
def _apply(
  model: nn.Module, variables: Any, ids: jax.Array, mask: jax.Array
) -> jax.Array:
  return model.apply(variables, ids, mask)


@dataclasses.dataclass(frozen=True)
class TextEncoder:
  """Text tower with its weights and tokenizer.

  Attributes:
    model: module of the text tower.
    variables: weights of the text tower.
    tokenizer: tokenizer of the class prompts.
    scale: factor from cosines to logits.
    batch_size: number of texts per batch.
  """

  model: nn.Module
  variables: Any
  tokenizer: Callable[[Sequence[str]], Tokens]
  scale: float
  batch_size: int = 64

  def __call__(self, texts: Sequence[str]) -> np.ndarray:
    """Encodes texts, as float32 [texts, D], not normalised.

    Raises:
      UsageError: a text is too long.
    """
    ids, mask = self.tokenizer(texts)
    size = self.batch_size
    # Pad the last batch with its last text, so that all have the same shape.
    missing = -len(ids) % size
    pad = ((0, missing), (0, 0))
    ids, mask = np.pad(ids, pad, 'edge'), np.pad(mask, pad, 'edge')
    encoded = [
      _apply(self.model, self.variables, ids[i : i + size], mask[i : i + size])
      for i in range(0, len(ids), size)
    ]
    return np.concatenate(encoded)[: len(texts)]


def load(
  family: str,
  path: str,
  *,
  folder: str = '',
  dtype: Any = jnp.float32,
) -> TextEncoder:
  """Reads a text tower.

  Args:
    family: key of `TOWERS`.
    path: path of the weights of both towers, see `checkpoints.resolve`.
    folder: folder with the tokenizer's files and config.json; by default, the
      folder of the weights.
    dtype: dtype of the computation.

  Raises:
    UsageError: files of the tokenizer are missing, or an option is wrong.
    DataError: the weights or the config can't be read, or are those of an
      unsupported tower.
  """
  lookup.check_choice('image-text model', family, TOWERS)
  plain, _ = places.split_choice(path)
  file = checkpoints.resolve(plain)
  place = epath.Path(folder).expanduser() if folder else file.parent
  module = lookup.lookup('text tower', family, TOWERS)
  given = configs.options(f'{family}_text', _read_config(place))
  model = module(
    **options.convert_options(f'{family}_text', module, given), dtype=dtype
  )
  # Load it before the weights, which may take long to read.
  tokenizer = tokenizers.load(family, place, model.context_length)
  state = checkpoints.load_state(path)
  variables = checkpoints.fill(
    f'{family}_text', state, template=_template(model), what=str(file)
  )
  scale = lookup.lookup('image-text model', family, _SCALES)(state)
  return TextEncoder(model, variables, tokenizer, scale)


def _template(model: nn.Module) -> Any:
  """Returns the shapes of the variables, without computing values."""
  one = jnp.zeros((1, 1), jnp.int32)
  return jax.eval_shape(model.init, jax.random.key(0), one)


def _read_config(folder: epath.Path) -> Mapping[str, Any]:
  """Reads the config of both towers, in the format of transformers."""
  own, open_clip = (folder / name for name in descriptions.FILES)
  name = open_clip if open_clip.exists() and not own.exists() else own
  config = files.read_json(name)
  if not isinstance(config, dict):
    raise errors.DataError(f'{name} must hold a JSON object.')
  return configs.from_open_clip(config) if 'model_cfg' in config else config

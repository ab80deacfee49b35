"""Models of Scenic's registry, with Scenic's own modules and configs.

Dehghani et al., 'SCENIC: A JAX Library for Computer Vision Research and Beyond'
(CVPR 2022). Scenic is an optional dependency, imported when such a model is
first run.
"""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from etils import epath

from overlap.core import errors, lookup, python_file
from overlap.models import layers
from overlap.models.options import require

# Name of the last layer in all of Scenic's classifiers.
_HEAD = 'output_projection'


class Scenic(nn.Module):
  """Classifier built by Scenic, with our own head.

  Supports models whose last layer, called 'output_projection', returns logits
  [examples, classes], as in all classifiers of Scenic's registry: fully
  connected networks, CNNs, ResNet, BiT, axial ResNet, ViT, hybrid ViT, Mixer.
  That layer is replaced by our head on the same features.

  Attributes:
    num_classes: outputs of the head.
    config: path of a Python file whose `get_config()` returns Scenic's config
      of an experiment. The file is executed.
    model: name in Scenic's registry, such as 'vit_multilabel_classification';
      '' for the config's `model_name`.
    dtype: float32; the dtype of the computation is set by Scenic's config.
  """

  num_classes: int
  config: str = ''
  model: str = ''
  dtype: jnp.dtype = jnp.float32

  def __post_init__(self):
    require(
      self.config.endswith('.py'), self, 'config', "the path of a '.py' file"
    )
    require(
      self.dtype == jnp.float32,
      self,
      'dtype',
      "float32 (set model_dtype_str in Scenic's config)",
    )
    super().__post_init__()

  @nn.compact
  def __call__(
    self, x: jax.Array, *, train: bool = False
  ) -> tuple[jax.Array, jax.Array]:
    """Classifies images.

    Args:
      x: images [examples, height, width, channels].
      train: Scenic's training flag; its dropout needs the stream 'dropout'.

    Returns:
      Logits [examples, classes] and features [examples, D], the input of the
      last layer of Scenic's module, both float32.

    Raises:
      UsageError: Scenic is not installed, has no such model, or can't build it
        from this config; or the model has no such last layer.
      DataError: the config file is absent.
    """
    inner = build_flax_model(self.config, self.model, self.num_classes)
    features = _features(inner.clone(parent=self, name='scenic'), x, train)
    if features is None or features.ndim != 2:
      raise errors.UsageError(
        f'A model of Scenic must end with a layer {_HEAD!r} on features '
        f'[examples, D], and {type(inner).__name__} does not.'
      )
    features = features.astype(jnp.float32)
    return layers.head(self.num_classes)(features), features


def _features(module: nn.Module, x: jax.Array, train: bool) -> jax.Array | None:
  """Returns the input of the module's last layer, None if it has none."""
  seen = []
  logits = jnp.zeros(())  # Recognised in the output by identity.

  def capture(call, args, kwargs, context):
    if context.module.name != _HEAD or context.method_name != '__call__':
      return call(*args, **kwargs)
    seen.append(args[0])
    return logits

  with nn.intercept_methods(capture):
    out = module(x, train=train)
  return seen[0] if out is logits and len(seen) == 1 else None


@functools.lru_cache(maxsize=8)
def build_flax_model(config: str, model: str, num_classes: int) -> nn.Module:
  """Returns Scenic's module for a number of classes.

  Args:
    config: path of the config file, see `Scenic`.
    model: name of the model, see `Scenic`.
    num_classes: number of classes of the data set.

  Raises:
    UsageError: Scenic can't build the model, see `Scenic.__call__`.
    DataError: the config file is absent.
  """
  registry = _scenic()
  settings = read_config(config)
  name = model or settings.get('model_name') or ''
  lookup.check_choice("model of Scenic's registry", name, registry.ALL_MODELS)
  # Fields of Scenic's data set metadata that models read.
  meta_data = {'num_classes': num_classes, 'target_is_onehot': False}
  try:
    return registry.get_model_cls(name)(settings, meta_data).flax_model
  # Scenic's models read the config without checks, so any error can occur.
  except Exception as e:
    raise errors.UsageError(
      f'{config} must be a config of {name}, got {_said(e)}.'
    ) from e


def read_config(path: str) -> Any:
  """Returns the config from `get_config()` of a Python file.

  Raises:
    DataError: the file is absent.
    UsageError: the file can't be executed, or has no such function.
  """
  file = epath.Path(path).expanduser()
  if not file.is_file():
    raise errors.DataError(f'{file} must be a config of Scenic, and is absent.')
  return python_file.call(str(file), 'get_config', 'The config of Scenic')


def _scenic() -> Any:
  """Returns Scenic's registry of models."""
  try:
    from scenic.model_lib import models
  except ImportError as e:
    raise errors.UsageError(
      "Models of Scenic must have Google's package scenic (on PyPI there is "
      f"another of that name), got {_said(e)}: pip install 'overlap[scenic]'."
    ) from e
  return models


def _said(error: Exception) -> str:
  text = str(error).strip().split('\n')[0][:200]
  return f'{type(error).__name__}: {text}'

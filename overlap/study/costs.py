"""Costs of a study's models, estimated before anything is computed."""

import contextlib
import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np

from overlap.data.examples import Examples
from overlap.predict import forward as predict_forward
from overlap.predict.forward import Input
from overlap.study import architecture, methods, model_images, specs
from overlap.study.study import Study
from overlap.train import lengths, trainer

# Gradients by inputs and gradients by parameters cost a forward pass each.
TRAINING_PASSES = 3


class Model(NamedTuple):
  """Costs of a model's forward pass of one image, and sizes of its outputs.

  Attributes:
    parameters: number of parameters.
    num_bytes: bytes of all variables.
    flops: floating-point operations of the forward pass of one image, including
      its resizing.
    classes: number of logits.
    features: number of features.
  """

  parameters: int
  num_bytes: int
  flops: float
  classes: int
  features: int


class Training(NamedTuple):
  """Number of steps and images of a training, and its operations."""

  steps: int
  images: int
  flops: float


def model(study: Study, name: str, examples: Examples) -> Model:
  """Returns the costs of a model on images of a split, without compiling."""
  settings = study.config['models'][name]
  shown = model_images.prepared(settings, examples)
  return measure_costs(
    specs.build_for(
      settings,
      shown.class_names,
      architecture.options(study, name, fetch=False),
    ),
    specs.model_input(settings, shown),
    shown,
  )


def measure_costs(
  module: nn.Module, model_input: Input, shown: Examples
) -> Model:
  """Returns the costs of a module on images like those of `shown`."""
  size, channels = shown.image_size, shown.channels
  return _model(module, model_input, (1, size, size, channels))


# Cached, as many models of a study differ in their seed or schedule only.
@functools.cache
def _model(
  module: nn.Module, model_input: Input, images: tuple[int, ...]
) -> Model:
  variables = trainer.abstract_variables(module, model_input)
  forward = predict_forward.forward_function(module, model_input)
  with _on_host():
    lowered = jax.jit(forward).lower(
      variables, jax.ShapeDtypeStruct(images, np.uint8)
    )
  outputs = lowered.out_info
  return Model(
    parameters=sum(_sizes(variables['params'])),
    num_bytes=sum(
      math.prod(leaf.shape) * leaf.dtype.itemsize
      for leaf in jax.tree.leaves(variables)
    ),
    flops=float((lowered.cost_analysis() or {}).get('flops', 0)),
    classes=outputs['logits'].shape[-1],
    features=outputs['features'].shape[-1],
  )


def _on_host() -> contextlib.AbstractContextManager[None]:
  """Selects the CPU for lowering, so that costs do not depend on the device.

  For other devices XLA counts operations of compiled programs only.
  """
  try:
    return jax.default_device(jax.local_devices(backend='cpu')[0])
  except RuntimeError:  # JAX_PLATFORMS excludes the CPU.
    return contextlib.nullcontext()


def recorded(measured: Model) -> dict[str, int | None]:
  """Returns the costs for record.json; None for unknown values."""
  return {
    'parameters': measured.parameters,
    'flops': round(measured.flops) or None,
  }


def of_probe(
  parts: Sequence[Mapping[str, Any]], width: int, classes: int
) -> dict[str, int | None]:
  """Returns the costs of a linear probe, including those of its models.

  Args:
    parts: records of the models whose features the probe uses.
    width: total width of their features.
    classes: number of logits.

  Returns:
    Costs like those of `recorded`, with a multiplication and an addition per
    weight, as XLA counts.
  """
  own = {'parameters': (width + 1) * classes, 'flops': 2 * width * classes}
  known = [record.get('costs') or {} for record in parts]
  return {
    name: _sum([value, *(costs.get(name) for costs in known)])
    for name, value in own.items()
  }


def _sum(values: Sequence[int | None]) -> int | None:
  """Returns the sum, or None if a value is unknown."""
  known = [value for value in values if value is not None]
  return sum(known) if len(known) == len(values) else None


def _sizes(tree: Any) -> list[int]:
  return [math.prod(leaf.shape) for leaf in jax.tree.leaves(tree)]


def training(
  study: Study, name: str, measured: Model, examples: Examples
) -> Training:
  """Returns the steps, images and operations of a training.

  Includes one pass over the held-out split, and over the examples that a head
  is fitted on. Augmentation, teachers and text towers are not counted.

  Args:
    study: study of the model.
    name: name of the model.
    measured: costs of the model, from `model`.
    examples: examples of the training split.

  Raises:
    DataError: the data set of the pre-training is missing.
  """
  settings = study.config['models'][name]
  steps = images = 0
  for phase in methods.phases(settings):
    count = len(examples)
    if not phase.own_examples:
      count = _other_count(study, settings)
    made = lengths.in_steps(phase.fields, count)
    steps += made['total_steps']
    images += made['total_steps'] * made['batch_size'] * phase.views
  heldout = study.examples('heldout')
  once = len(heldout) if heldout is not None else 0
  if settings['head']['fit'] == 'lbfgs':
    most = settings['head']['max_examples'] or len(examples)
    once += min(most, len(examples))
  passes = TRAINING_PASSES * images + once
  return Training(steps, images, passes * measured.flops)


def _other_count(study: Study, settings: methods.Settings) -> int:
  """Returns the number of examples of the pre-training data set."""
  given = settings['pretrain']
  if given['total_steps']:
    return 1  # The number of steps does not depend on it.
  other = study.load_other(
    given['dataset'], given['data_dir'], split='pretrain', spec=given['split'],
    image_size=0,
  )  # fmt: skip
  return len(other)


def stored_bytes(measured: Model, arrays: Sequence[str], count: int) -> int:
  """Returns the bytes of a model's float32 arrays over `count` examples."""
  widths = {'logits': measured.classes, 'features': measured.features}
  return 4 * count * sum(widths[array] for array in arrays)

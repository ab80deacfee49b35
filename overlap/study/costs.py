"""Costs of a study's models, estimated before anything is computed."""

import contextlib
import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np

from overlap import inference
from overlap.data.examples import Examples
from overlap.inference import Input
from overlap.study import architecture, methods, model_images, specs
from overlap.study.study import Study
from overlap.train import lengths, trainer

# The gradients by inputs and by parameters each take what the outputs do.
TRAINING_PASSES = 3


class Model(NamedTuple):
  """Costs of one image's forward pass through a model, and its outputs.

  Attributes:
    parameters: how many.
    num_bytes: bytes of all its variables.
    flops: floating-point operations of the forward pass of one image, its
      resizing with it.
    classes: logits.
    features: their width.
  """

  parameters: int
  num_bytes: int
  flops: float
  classes: int
  features: int


class Training(NamedTuple):
  """The length of a training, and its operations."""

  steps: int
  images: int
  flops: float


def model(study: Study, name: str, examples: Examples) -> Model:
  """Measures a model that is shown images of a split; compiles nothing."""
  settings = study.config['models'][name]
  shown = model_images.prepared(settings, examples)
  return measure(
    specs.build_for(
      settings,
      shown.class_names,
      architecture.options(study, name, fetch=False),
    ),
    specs.model_input(settings, shown),
    shown,
  )


def measure(module: nn.Module, model_input: Input, shown: Examples) -> Model:
  """Measures a module that is shown images as `shown` has them."""
  size, channels = shown.image_size, shown.channels
  return _model(module, model_input, (1, size, size, channels))


# Many models of a study differ in their seed or their schedule alone.
@functools.cache
def _model(
  module: nn.Module, model_input: Input, images: tuple[int, ...]
) -> Model:
  variables = trainer.abstract_variables(module, model_input)
  forward = inference.forward_function(module, model_input)
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
  """Lowers for the CPU: of other devices, XLA counts compiled programs alone.

  So that a model has the same operations wherever it is measured.
  """
  try:
    return jax.default_device(jax.local_devices(backend='cpu')[0])
  except RuntimeError:  # Where JAX_PLATFORMS leaves the CPU out.
    return contextlib.nullcontext()


def recorded(measured: Model) -> dict[str, int | None]:
  """Returns the costs in a record.json; None for what is not known."""
  return {
    'parameters': measured.parameters,
    'flops': round(measured.flops) or None,
  }


def of_probe(
  parts: Sequence[Mapping[str, Any]], width: int, classes: int
) -> dict[str, int | None]:
  """The costs of a linear probe, with those of the models that it stands on.

  Args:
    parts: the models' records.
    width: width of their features side by side.
    classes: logits.

  Returns:
    As `recorded`; a product and a sum for each weight, as XLA counts.
  """
  own = {'parameters': (width + 1) * classes, 'flops': 2 * width * classes}
  known = [record.get('costs') or {} for record in parts]
  return {
    name: _sum([value, *(costs.get(name) for costs in known)])
    for name, value in own.items()
  }


def _sum(values: Sequence[int | None]) -> int | None:
  """The sum; None where a value is not known."""
  known = [value for value in values if value is not None]
  return sum(known) if len(known) == len(values) else None


def _sizes(tree: Any) -> list[int]:
  return [math.prod(leaf.shape) for leaf in jax.tree.leaves(tree)]


def training(
  study: Study, name: str, measured: Model, examples: Examples
) -> Training:
  """The steps of a training, the images that the model is shown, operations.

  With those of the held-out split, and of the features that a head is fitted
  on, once each. Augmentation, teachers and towers of text are left out.

  Args:
    study: study of the model.
    name: the model's.
    measured: from `model`.
    examples: the training split.

  Raises:
    DataError: a data set that it learns from first is not there.
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
  """Examples of the data set that a model learns from first."""
  given = settings['pretrain']
  if given['total_steps']:
    return 1  # No length depends on it.
  other = study.load_other(
    given['dataset'], given['data_dir'], split='pretrain', spec=given['split'],
    image_size=0,
  )  # fmt: skip
  return len(other)


def stored_bytes(measured: Model, arrays: Sequence[str], count: int) -> int:
  """Bytes of a model's float32 arrays over so many examples."""
  widths = {'logits': measured.classes, 'features': measured.features}
  return 4 * count * sum(widths[array] for array in arrays)

"""From a model's settings to objects, hashes and names in tables."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from overlap import data, errors, files, lookup, models, train
from overlap.data import preparation
from overlap.data.examples import Examples
from overlap.data.preparation import Preparation
from overlap.inference import Input

SOURCES = ('train', 'store')
_DTYPES = {'float32': jnp.float32, 'bfloat16': jnp.bfloat16}
_HEADS = ('trained', 'lbfgs')
# Before the names of the splits of the data set that features are probed on:
# it may be the study's own, which has splits of these names.
TRANSFER = 'transfer_'

Settings = Mapping[str, Any]


def check(study: Settings) -> None:
  """Checks what can be known before anything is run.

  Raises:
    UsageError: an unknown source, method, dtype, head, architecture or
      teacher; or teachers in a circle.
  """
  for name, settings in study['models'].items():
    at = f'(in config.models.{name})'
    lookup.check(f'source {at}', settings['source'], SOURCES)
    if settings['source'] == 'store':
      continue
    lookup.check(f'training method {at}', settings['method'], train.METHODS)
    lookup.check(f'dtype {at}', settings['dtype'], _DTYPES)
    lookup.check(f'way to fit a head {at}', settings['head']['fit'], _HEADS)
    build_model(settings, num_classes=1)
    _check_preparation(name, settings)
    if settings['method'] == 'distill':
      lookup.check(
        f'teacher {at}', settings['distill']['teacher'], study['models']
      )
      _check_taught(study, name)
  training_order(study)
  other = study['transfer']['dataset'].partition(':')[0]
  if other:
    lookup.check('dataset for config.transfer.dataset', other, data.SOURCES)


def _check_preparation(name: str, settings: Settings) -> None:
  given = settings['input']
  if given.get('resize'):
    preparation.check(_preparation(given), f'(in config.models.{name}.input)')
    return
  for field, default in Preparation._field_defaults.items():
    if field != 'resize' and given.get(field, default) != default:
      raise errors.UsageError(
        f'config.models.{name}.input.{field} acts only where input.resize is '
        f'one of {", ".join(preparation.RESIZES)}, got {given[field]!r} and '
        "resize ''."
      )


def _check_taught(study: Settings, name: str) -> None:
  """A teacher sees the images that its student is trained on."""
  own = study['models'][name]
  teacher = study['models'][teacher_of(own)]
  for field in preparation.FIELDS:
    got, wanted = own['input'].get(field), teacher['input'].get(field)
    if got != wanted:
      raise errors.UsageError(
        f"config.models.{name}.input.{field} must be its teacher's, {wanted!r},"
        f' who is shown the same images, got {got!r}.'
      )


def training_order(study: Settings) -> list[str]:
  """The models' names, teachers before their students.

  Raises:
    UsageError: a model learns from itself, at whatever remove.
  """
  order: list[str] = []

  def visit(name: str, above: tuple[str, ...]) -> None:
    if name in above:
      raise errors.UsageError(
        'A model must not learn from itself, got distill.teacher in a '
        f'circle: {" <- ".join((*above, name))}.'
      )
    if name in order:
      return
    teacher = teacher_of(study['models'][name])
    if teacher:
      visit(teacher, (*above, name))
    order.append(name)

  for name in study['models']:
    visit(name, ())
  return order


def teacher_of(settings: Settings) -> str:
  """The teacher's name, '' where the method has none."""
  return (
    settings['distill']['teacher'] if settings['method'] == 'distill' else ''
  )


def build_model(settings: Settings, *, num_classes: int) -> nn.Module:
  """The Flax module that the settings describe."""
  return models.build(
    settings['architecture']['name'],
    num_classes=num_classes,
    dtype=_DTYPES[settings['dtype']],
    **settings['architecture']['options'],
  )


def model_input(settings: Settings, examples: Examples) -> Input:
  """How images of a data set reach the model."""
  given = settings['input']
  return Input(
    size=given['size'] or examples.image_size,
    channels=given['channels'] or examples.channels,
    mean=tuple(given['mean']),
    std=tuple(given['std']),
  )


def prepare_examples(settings: Settings, examples: Examples) -> Examples:
  """The examples with images as the model's settings want them made."""
  given = settings['input']
  if not given.get('resize'):
    return examples
  size = given['size'] or examples.image_size
  return data.prepare_examples(examples, _preparation(given, size))


def _preparation(given: Settings, size: int = 0) -> Preparation:
  return Preparation(size, *(given[field] for field in preparation.FIELDS))


def _without_idle_fields(settings: Settings) -> dict[str, Any]:
  """Settings as their hashes take them: without what does nothing.

  What was made before these fields existed stays valid.
  """
  given = settings['input']
  if not given.get('resize'):
    given = {
      field: value
      for field, value in given.items()
      if field not in preparation.FIELDS
    }
  return dict(settings) | {'input': given}


def training_hash(study: Settings, name: str, dataset: str) -> str:
  """Identifies all that a model's variables depend on.

  How often a run is logged or checkpointed does not matter; a teacher's own
  settings do.
  """
  settings = study['models'][name]
  source = study['data']
  schedule = {
    key: value
    for key, value in settings['train'].items()
    if key not in ('log_every_steps', 'checkpoint_every_steps')
  }
  teacher = teacher_of(settings)
  return files.digest(
    _without_idle_fields(settings)
    | {
      'train': schedule,
      'dataset': dataset,
      'image_size': source['image_size'],
      'splits': [source['splits']['train'], source['splits']['heldout']],
      'teacher': training_hash(study, teacher, dataset) if teacher else '',
    }
  )


def prediction_hash(
  study: Settings, name: str, dataset: str, split: str
) -> str:
  """Identifies all that a model's predictions depend on."""
  trained = training_hash(study, name, dataset)
  if split in study['data']['splits']:
    return files.digest([trained, study['data']['splits'][split]])
  transfer = study['transfer']
  spec = transfer['splits'][split.removeprefix(TRANSFER)]
  return files.digest([trained, transfer['dataset'], spec])


def axes(settings: Settings, dataset: str) -> dict[str, str]:
  """Where a model stands on the five axes of Sec. 3.1.

  Two models' category is the furthest axis on which these strings differ.
  Depth and width are hyper-parameters, as ResNet-101 at half width is in the
  paper's table 1.
  """
  active = _without_idle_fields(settings)
  hparams = {
    key: active[key]
    for key in ('architecture', 'input', 'train', 'simclr', 'distill', 'head')
  }
  hparams['checkpoint'] = settings['init']['checkpoint']
  return {
    'dataset': settings['init']['pretrained_on'] or dataset,
    'framework': settings['method'],
    'architecture': settings['architecture']['name'],
    'hparams': files.digest(hparams),
    'seed': str(settings['seed']),
  }


def labels(settings: Settings, dataset_label: str) -> dict[str, str]:
  """The columns `method` and `head` of the tables, as the paper words them."""
  contrastive = settings['method'] == 'simclr'
  pretrained_on = settings['init']['pretrained_on'] or dataset_label
  if settings['head']['fit'] == 'lbfgs':
    head = 'L-BFGS'
  elif settings['method'] == 'distill':
    head = 'Distilled'
  elif contrastive or settings['init']['checkpoint']:
    head = 'Fine Tuned'
  else:
    head = 'Trained'
  return {
    'method': f'{"Cont." if contrastive else "Sup."} / {pretrained_on}',
    'head': head,
  }

"""Objects, hashes and names in tables from the settings of models."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from overlap import data, models
from overlap.analyses.probing import options as probing_options
from overlap.analyses.probing.options import Probing
from overlap.catalog import class_lists
from overlap.config import schema
from overlap.core import errors, files, lookup
from overlap.data import splits
from overlap.data.examples import Examples
from overlap.distributed import meshes
from overlap.predict.forward import Input
from overlap.study import heads, methods, model_images
from overlap.train import mapped

SOURCES = ('train', 'probe', 'store')
_DTYPES = {'float32': jnp.float32, 'bfloat16': jnp.bfloat16}
# Parts of a model's config that form the axis of hyper-parameters.
_HPARAMS = (
  'architecture', 'input', 'train', 'simclr', 'image_text', 'mpl', 'pretrain',
  'distill', 'head',
)  # fmt: skip
# Prefix of the splits of the data set to probe features on, which may be the
# study's own with splits of the same names.
TRANSFER = 'transfer_'

Settings = Mapping[str, Any]


def check_specs(study: Settings) -> None:
  """Checks a config before anything is run.

  Raises:
    UsageError: a source, method, dtype, head, architecture or teacher is
      unknown; teachers form a cycle; or settings of a head are missing.
  """
  for name, settings in study['models'].items():
    at = f'(in config.models.{name})'
    lookup.check_choice(f'source {at}', settings['source'], SOURCES)
    if settings['source'] == 'probe':
      probing(study, name)
    if settings['source'] != 'train':
      continue
    methods.check_method(name, settings)
    lookup.check_choice(f'dtype {at}', settings['dtype'], _DTYPES)
    lookup.check_choice(
      f'sharding {at}', settings['train']['sharding'], meshes.SHARDINGS
    )
    build_model(settings, num_classes=1)
    _check_weights(name, settings)
    heads.check_head(name, settings)
    if settings['method'] == 'distill':
      lookup.check_choice(
        f'teacher {at}',
        settings['distill']['teacher'],
        _names(study, 'train'),
      )
    teacher = study['models'].get(teacher_of(settings))
    model_images.check_model_images(name, settings, teacher)
  training_order(study)
  for part in ('data', 'transfer'):
    for spec in filter(None, study[part]['splits'].values()):
      splits.parse(spec)
  # Predictions already in the store may be of any data set.
  for field in ('dataset', 'fallback') if _names(study, 'train') else ():
    given = study['data'][field].partition(':')[0]
    if given or field == 'dataset':
      lookup.check_choice(
        f'dataset for config.data.{field}', given, data.SOURCES
      )
  other = study['transfer']['dataset'].partition(':')[0]
  if other:
    lookup.check_choice(
      'dataset for config.transfer.dataset', other, data.SOURCES
    )


def _check_weights(name: str, settings: Settings) -> None:
  init = settings['init']
  if init['pretrained_on'] and not init['checkpoint']:
    raise errors.UsageError(
      f'config.models.{name}.init.checkpoint must name a file of weights where '
      f"init.pretrained_on is given ({init['pretrained_on']!r}), got ''."
    )


def training_order(study: Settings) -> list[str]:
  """Returns the models' names, teachers before their students.

  Raises:
    UsageError: a model learns from itself, directly or indirectly.
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
  """Returns the teacher's name; '' if the method has none."""
  distilled = settings['source'] == 'train' and settings['method'] == 'distill'
  return settings['distill']['teacher'] if distilled else ''


def _names(study: Settings, *sources: str) -> list[str]:
  models = study['models'].items()
  return [name for name, settings in models if settings['source'] in sources]


def reference_split(study: Settings) -> str:
  """Returns the split that determines classes, channels and image size.

  It is the training split if a model learns from it, and otherwise the first
  predicted split: a study of loaded models needs no other.
  """
  learned = any(
    schema.is_learned(study['models'][name]) for name in _names(study, 'train')
  )
  predicted = study['predict']['splits']
  return predicted[0] if predicted and not learned else 'train'


def image_size(study: Settings) -> int:
  """Returns the side at which images are opened; 0 for their own size.

  If every model prepares the original images at a size of its own, it is the
  largest of these sizes, as the original images need not be square.
  """
  inputs = [study['models'][n]['input'] for n in _names(study, 'train')]
  if all(given.get('resize') and given['size'] for given in inputs):
    own = max((given['size'] for given in inputs), default=0)
    return study['data']['image_size'] or own
  return study['data']['image_size']


def probing(study: Settings, name: str) -> Probing:
  """Returns the options by which the probe `name` is fitted.

  Raises:
    UsageError: there are no models to probe, one has no features, a split is
      unknown, or a value is invalid.
  """
  settings, at = study['models'][name], f'config.models.{name}'
  with_features = _names(study, 'train', 'store')
  if not settings['models']:
    raise errors.UsageError(
      f'{at}.models must name the models whose features are probed, got none. '
      f'Choices: {", ".join(with_features)}.'
    )
  for one in settings['models']:
    lookup.check_choice(f'model for {at}.models', one, with_features)
  if len(set(settings['models'])) < len(settings['models']):
    raise errors.UsageError(
      f'{at}.models must name each model once, got '
      f'{", ".join(settings["models"])}.'
    )
  for field in ('train', 'heldout'):
    lookup.check_choice(
      f'split for {at}.{field}', settings[field], study['data']['splits']
    )
  chosen = {
    field.name: settings[field.name]
    for field in dataclasses.fields(Probing)
    if field.name in settings
  }
  try:
    probing_options.check_probing_options(Probing(**chosen))
  except errors.UsageError as e:
    raise errors.UsageError(f'{e} (In {at}.)') from e
  return Probing(**chosen)


def build_model(settings: Settings, *, num_classes: int) -> nn.Module:
  """Returns the Flax module that the settings describe."""
  return models.build(
    settings['architecture']['name'],
    num_classes=num_classes,
    dtype=_DTYPES[settings['dtype']],
    **settings['architecture']['options'],
  )


def build_for(
  settings: Settings,
  class_names: Sequence[str],
  options: Settings | None = None,
) -> nn.Module:
  """Returns the module for a data set with these classes.

  Args:
    settings: config of the model.
    class_names: names of the classes.
    options: options of the module; None for those of the settings.

  Raises:
    UsageError, DataError: the head maps classes, and the mapping is invalid;
      see `mapped`.
  """
  if options is not None:
    architecture = {**settings['architecture'], 'options': options}
    settings = {**settings, 'architecture': architecture}
  head = settings['head']
  if head['fit'] != heads.MAPPING:
    return build_model(settings, num_classes=len(class_names))
  sources = mapped.source_classes(head)
  return mapped.wrap(
    build_model(settings, num_classes=len(sources)), head, sources, class_names
  )


def model_input(settings: Settings, examples: Examples) -> Input:
  """Returns the model's input format for images of a data set."""
  given = settings['input']
  return Input(
    size=given['size'] or examples.image_size,
    channels=given['channels'] or examples.channels,
    mean=tuple(given['mean']),
    std=tuple(given['std']),
  )


def training_hash(study: Settings, name: str, dataset: str) -> str:
  """Returns a hash of everything that a model's variables depend on.

  The frequencies of logs and checkpoints and the sharding are left out; a
  teacher's settings are included.
  """
  settings = _without_folders(study['models'][name])
  source = study['data']
  schedule = {
    key: value
    for key, value in settings['train'].items()
    if key not in ('log_every_steps', 'checkpoint_every_steps', 'sharding')
  }
  teacher = teacher_of(settings)
  return files.digest(
    settings
    | {
      'train': schedule,
      'dataset': dataset,
      'classes': class_lists.read_class_list(source['classes']),
      'image_size': source['image_size'],
      'splits': [source['splits']['train'], source['splits']['heldout']],
      'teacher': training_hash(study, teacher, dataset) if teacher else '',
    }
  )


def _without_folders(settings: Settings) -> dict[str, Any]:
  """Returns settings without the paths of data, which do not affect results."""
  first = settings.get('pretrain')
  if not first:
    return dict(settings)
  first = {key: value for key, value in first.items() if key != 'data_dir'}
  return {**settings, 'pretrain': first}


def prediction_hash(
  study: Settings, name: str, dataset: str, split: str
) -> str:
  """Returns a hash of everything that a model's predictions depend on."""
  trained = training_hash(study, name, dataset)
  if split in study['data']['splits']:
    return files.digest([trained, study['data']['splits'][split]])
  transfer = study['transfer']
  spec = transfer['splits'][split.removeprefix(TRANSFER)]
  return files.digest([trained, transfer['dataset'], spec])


def axes(settings: Settings, dataset: str) -> dict[str, str]:
  """Returns a model's position on the five axes of Sec. 3.1.

  The category of a pair is the furthest axis on which these strings differ.
  Depth and width are hyper-parameters, like ResNet-101 at half width in table
  1 of the paper.
  """
  active = _without_folders(settings)
  hparams = {key: active[key] for key in _HPARAMS if key in active}
  hparams['train'] = {
    key: value for key, value in active['train'].items() if key != 'sharding'
  }
  hparams['checkpoint'] = settings['init']['checkpoint']
  return {
    'dataset': methods.learned_from(settings) or dataset,
    'framework': (
      'image_text' if heads.knows_texts(settings) else settings['method']
    ),
    'architecture': settings['architecture']['name'],
    'hparams': files.digest(hparams),
    'seed': str(settings['seed']),
  }


def labels(settings: Settings, dataset_label: str) -> dict[str, str]:
  """Returns the columns `method` and `head`, in the paper's terms."""
  contrastive = settings['method'] == 'simclr' or heads.knows_texts(settings)
  learned_from = methods.learned_from(settings) or dataset_label
  return {
    'method': f'{"Cont." if contrastive else "Sup."} / {learned_from}',
    'head': heads.word(settings),
  }

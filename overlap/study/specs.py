"""From a model's settings to objects, hashes and names in tables."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from overlap import config, data, errors, files, lookup, models, parallel
from overlap.analyses.probing import options as probing_options
from overlap.analyses.probing.options import Probing
from overlap.catalog import class_lists
from overlap.data import splits
from overlap.data.examples import Examples
from overlap.inference import Input
from overlap.study import heads, methods, model_images
from overlap.train import mapped

SOURCES = ('train', 'probe', 'store')
_DTYPES = {'float32': jnp.float32, 'bfloat16': jnp.bfloat16}
# Parts of a model's config that make the axis of hyper-parameters.
_HPARAMS = (
  'architecture', 'input', 'train', 'simclr', 'image_text', 'mpl', 'pretrain',
  'distill', 'head',
)  # fmt: skip
# Before the names of the splits of the data set that features are probed on:
# it may be the study's own, which has splits of these names.
TRANSFER = 'transfer_'

Settings = Mapping[str, Any]


def check(study: Settings) -> None:
  """Checks what can be known before anything is run.

  Raises:
    UsageError: an unknown source, method, dtype, head, architecture or
      teacher; teachers in a circle; or a head without what it needs.
  """
  for name, settings in study['models'].items():
    at = f'(in config.models.{name})'
    lookup.check(f'source {at}', settings['source'], SOURCES)
    if settings['source'] == 'probe':
      probing(study, name)
    if settings['source'] != 'train':
      continue
    methods.check(name, settings)
    lookup.check(f'dtype {at}', settings['dtype'], _DTYPES)
    lookup.check(
      f'sharding {at}', settings['train']['sharding'], parallel.SHARDINGS
    )
    build_model(settings, num_classes=1)
    _check_weights(name, settings)
    heads.check(name, settings)
    if settings['method'] == 'distill':
      lookup.check(
        f'teacher {at}',
        settings['distill']['teacher'],
        _names(study, 'train'),
      )
    teacher = study['models'].get(teacher_of(settings))
    model_images.check(name, settings, teacher)
  training_order(study)
  for part in ('data', 'transfer'):
    for spec in filter(None, study[part]['splits'].values()):
      splits.parse(spec)
  # What is in the store already may be of any.
  for field in ('dataset', 'fallback') if _names(study, 'train') else ():
    given = study['data'][field].partition(':')[0]
    if given or field == 'dataset':
      lookup.check(f'dataset for config.data.{field}', given, data.SOURCES)
  other = study['transfer']['dataset'].partition(':')[0]
  if other:
    lookup.check('dataset for config.transfer.dataset', other, data.SOURCES)


def _check_weights(name: str, settings: Settings) -> None:
  init = settings['init']
  if init['pretrained_on'] and not init['checkpoint']:
    raise errors.UsageError(
      f'config.models.{name}.init.checkpoint must name a file of weights where '
      f"init.pretrained_on is given ({init['pretrained_on']!r}), got ''."
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
  distilled = settings['source'] == 'train' and settings['method'] == 'distill'
  return settings['distill']['teacher'] if distilled else ''


def _names(study: Settings, *sources: str) -> list[str]:
  models = study['models'].items()
  return [name for name, settings in models if settings['source'] in sources]


def reference_split(study: Settings) -> str:
  """The split that tells a study's classes, channels and size of images.

  It is the training split where a model learns from one, and else the first
  that is predicted: a study of loaded models needs no other.
  """
  learned = any(
    config.is_learned(study['models'][name]) for name in _names(study, 'train')
  )
  predicted = study['predict']['splits']
  return predicted[0] if predicted and not learned else 'train'


def image_size(study: Settings) -> int:
  """Side of the images that data are opened at; 0 for their own.

  Where every model makes its images of the originals at a size of its own,
  the largest of these sizes: the data's own need not be square.
  """
  inputs = [study['models'][n]['input'] for n in _names(study, 'train')]
  if all(given.get('resize') and given['size'] for given in inputs):
    own = max((given['size'] for given in inputs), default=0)
    return study['data']['image_size'] or own
  return study['data']['image_size']


def probing(study: Settings, name: str) -> Probing:
  """Returns how the probe `name` is fitted.

  Raises:
    UsageError: no models to probe, or one that has no features; no such
      split; or a value that can't be.
  """
  settings, at = study['models'][name], f'config.models.{name}'
  with_features = _names(study, 'train', 'store')
  if not settings['models']:
    raise errors.UsageError(
      f'{at}.models must name the models whose features are probed, got none. '
      f'Choices: {", ".join(with_features)}.'
    )
  for one in settings['models']:
    lookup.check(f'model for {at}.models', one, with_features)
  if len(set(settings['models'])) < len(settings['models']):
    raise errors.UsageError(
      f'{at}.models must name each model once, got '
      f'{", ".join(settings["models"])}.'
    )
  for field in ('train', 'heldout'):
    lookup.check(
      f'split for {at}.{field}', settings[field], study['data']['splits']
    )
  chosen = {
    field.name: settings[field.name]
    for field in dataclasses.fields(Probing)
    if field.name in settings
  }
  try:
    probing_options.check(Probing(**chosen))
  except errors.UsageError as e:
    raise errors.UsageError(f'{e} (In {at}.)') from e
  return Probing(**chosen)


def build_model(settings: Settings, *, num_classes: int) -> nn.Module:
  """The Flax module that the settings describe."""
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
  """The module for a data set with these classes.

  Args:
    settings: the model's part of the config.
    class_names: names of the classes.
    options: options of the module; those of the settings if None.

  Raises:
    UsageError, DataError: the head maps classes, and can't; see `mapped`.
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
  """Returns how images of a data set are prepared for the model."""
  given = settings['input']
  return Input(
    size=given['size'] or examples.image_size,
    channels=given['channels'] or examples.channels,
    mean=tuple(given['mean']),
    std=tuple(given['std']),
  )


def training_hash(study: Settings, name: str, dataset: str) -> str:
  """Identifies all that a model's variables depend on.

  How often a run is logged or checkpointed, and how it lies on the devices, do
  not matter; a teacher's own settings do.
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
      'classes': class_lists.read(source['classes']),
      'image_size': source['image_size'],
      'splits': [source['splits']['train'], source['splits']['heldout']],
      'teacher': training_hash(study, teacher, dataset) if teacher else '',
    }
  )


def _without_folders(settings: Settings) -> dict[str, Any]:
  """Without where data lie, on which nothing depends."""
  first = settings.get('pretrain')
  if not first:
    return dict(settings)
  first = {key: value for key, value in first.items() if key != 'data_dir'}
  return {**settings, 'pretrain': first}


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
  """Returns a model's position on the five axes of Sec. 3.1.

  Two models' category is the furthest axis on which these strings differ.
  Depth and width are hyper-parameters, as ResNet-101 at half width is in the
  paper's table 1.
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
  """The columns `method` and `head` of the tables, as the paper words them."""
  contrastive = settings['method'] == 'simclr' or heads.knows_texts(settings)
  learned_from = methods.learned_from(settings) or dataset_label
  return {
    'method': f'{"Cont." if contrastive else "Sup."} / {learned_from}',
    'head': heads.word(settings),
  }

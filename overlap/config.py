"""The fields of a study's config, with their defaults, and their checks.

A config file calls `study()` and `model()`, which return locked
`ConfigDict`s, so that a misspelt field is refused where it is written.
`resolve` turns the result into plain dictionaries: nothing below the edges
sees a ConfigDict.
"""

import re
from collections.abc import Mapping
from typing import Any

import ml_collections

from overlap import errors, lookup

# Where `models` and each model's `architecture.options` are free-form.
_FREE_FORM = (
  'architecture.options',
  'specialisation.groups',
  'transfer.groups',
)
_IMMATERIAL = (
  'data.data_dir',
  'data.num_threads',
  'analyses.memory_mb',
  'train.log_every_steps',
  'train.checkpoint_every_steps',
)


def study() -> ml_collections.ConfigDict:
  """The fields of a study, all models still to be named."""
  config = ml_collections.ConfigDict()
  config.name = 'study'
  config.base = 'base'  # The model that the others are compared with.
  config.models = ml_collections.ConfigDict()  # Name -> `model(...)`.

  config.data = ml_collections.ConfigDict(
    dict(
      dataset='',  # See overlap/data/__init__.py for the sources.
      label='',  # What tables call it ('IN'); the data set's name if empty.
      data_dir='',  # Where its files are, or are put; `./data` if empty.
      fallback='',  # Data set to take where `dataset` can't be had.
      image_size=0,  # Side of the square images; 0: as they are stored.
      splits=dict(
        train='train',
        heldout='',
        test='test',
        probe_train='',  # Whose features linear probes are fitted on, and
        probe_heldout='',  # by which their strength is chosen.
      ),
      num_threads=2,  # That read and decode images.
    )
  )
  config.predict = ml_collections.ConfigDict(
    dict(
      splits=('test',),  # Which of `data.splits` enter the store.
      feature_splits=(),  # Of which only features do, for probes.
      batch_size=512,  # Over all devices of all processes.
    )
  )
  config.transfer = ml_collections.ConfigDict(
    dict(
      dataset='',  # Another one, to probe the features on; '': none.
      data_dir='',  # Where its files are; that of `data` if empty.
      optional=False,  # Whether the study goes on where it can't be had.
      splits=dict(train='train', heldout='', test='test'),
    )
  )
  config.analyses = ml_collections.ConfigDict(
    dict(
      split='test',
      tables=(
        'models',
        'pairs',
        'categories',
        'correlations',
        'theta',
        'theta_examples',
        'class_groups',
        'classes',
        'specialisation',
        'specialisation_correlations',
        'interpolation',
        'interpolation_optima',
        'greedy',
        'greedy_best',
        'first_additions',
        'subsets',
        'similarity',
        'similarity_correlations',
        'joined',
        'joined_pairs',
        'joined_categories',
        'joined_correlations',
        'compression',
        'compression_targets',
        'compression_categories',
        'transfer',
        'transfer_classes',
      ),
      pairs='all',  # 'all', 'base', or 'model:model,model:model'.
      calibration='nll',  # 'nll', 'all', 'grid' or 'ece_sweep'.
      folds=5,
      resamples=1000,  # Of the bootstrap.
      confidence=0.95,
      accuracy_interval='wilson',  # Or 'exact' (Clopper-Pearson).
      summary_interval='jackknife',  # Over models; or 'bootstrap'.
      window=0.0,  # Half-width around the base's accuracy; 0: all models.
      greedy=dict(
        starts=(),  # Models; the base and the most accurate if empty.
        pool=(),  # Models that may be added; all if empty.
        bound=0.0,  # Most accurate that may be; 0: less than the start.
        max_members=8,
        repetition=False,
        method='logits',  # Or 'probs', whose mean is taken.
        protocols=('cross_fitted', 'optimistic'),
        candidates=(),  # Of the exact search; the twelve best if empty.
      ),
      seed=0,
      memory_mb=1024,  # For the examples of all models held at once.
      specialisation=dict(
        pairs='',  # 'model:model,model:model'; '': chosen by itself.
        contrast='',  # One more pair; '': of FRAMEWORK and DATASET.
        bins=30,
        max_examples=2000,  # Drawn as points.
        groups=dict(),  # Name -> classes: names, indices, '0-300'.
        grouping='',  # 'config', 'imagenet', 'wordnet' or 'none'.
      ),
      interpolation=dict(
        pairs='base',  # 'base' or 'views'.
        points=101,
        group_a='',  # Of the groups above; '': the first two.
        group_b='',
      ),
      probing=dict(
        train='probe_train',  # Of `data.splits`, as is the next.
        heldout='probe_heldout',
        normalisation='l2_standardise',
        strengths=45,  # Of L2, evenly spaced in the logarithm.
        weakest=1e-6,
        strongest=1e5,
        max_iterations=1000,
        stream=False,  # Whether features are read anew in each pass.
        pairs='base',  # 'base' or 'views'.
        percents=(0, 25, 50, 75, 100),  # Of the base's dimensions.
        seeds=3,
        rankings=('correlation', 'variance', 'cholesky', 'random'),
        kept=(),  # Dimensions; '()': by eighths of the base's width.
        target=0.0,  # Accuracy; 0: that of the base's probe.
      ),
      transfer=dict(
        dataset='',  # In the store; '': that of `transfer` above.
        models=(),  # '()': the base and the best of three categories.
        groups=dict(),  # Name -> classes: further labels, as above.
        strengths=45,
        weakest=1e-6,
        strongest=1e5,
        permutations=1000,  # Of the test of a gain; 0: none.
      ),
      similarity=dict(
        normalise='l2',  # 'l2', 'standardise', 'both' or 'none'.
        max_examples=10_000,  # Drawn by a hash of their ids; 0: all.
        variance=0.99,  # Kept by principal directions; 0: no CCA.
        neighbours=10,  # Of each example; 0: none.
        neighbour_examples=2000,  # Among which they are looked for.
      ),
    )
  )
  config.report = ml_collections.ConfigDict(
    dict(
      figures=(
        'fig01',
        'fig02',
        'fig03',
        'fig04',
        'fig05',
        'fig06',
        'fig07',
        'fig08',
        'fig09',
        'fig10',
        'fig11',
        'fig12',
        'fig13',
        'heatmap',
        'table1',
        'table2',
        'table3',
        'table4',
      )
    )
  )
  config.lock()
  config.models.unlock()
  config.analyses.specialisation.groups.unlock()
  config.analyses.transfer.groups.unlock()
  return config


def model(architecture: str, **options: Any) -> ml_collections.ConfigDict:
  """The fields of one model of a study.

  Args:
    architecture: a key of `overlap.models.MODELS`.
    **options: fields of that Flax module (`depth`, `dropout_rate`, ...).
  """
  config = ml_collections.ConfigDict()
  config.source = 'train'  # 'train' (or load) it here, or 'store'.
  config.method = 'supervised'  # A key of `overlap.train.METHODS`.
  config.seed = 0
  config.dtype = 'float32'  # Of the computation; parameters are float32.
  config.architecture = ml_collections.ConfigDict(
    dict(name=architecture, options=options)
  )
  config.input = ml_collections.ConfigDict(
    dict(
      size=0,  # Images are resized to it; 0: the data's.
      channels=0,  # 1 or 3; 0: the data's.
      mean=(0.5,),  # Of images in [0, 1]; one for all channels or one each.
      std=(0.25,),
    )
  )
  config.init = ml_collections.ConfigDict(
    dict(
      checkpoint='',  # Weights trained elsewhere; '': random.
      pretrained_on='',  # The data set they were trained on.
    )
  )
  config.train = ml_collections.ConfigDict(
    dict(
      total_steps=0,
      batch_size=128,  # Over all devices of all processes.
      optimizer='sgd',  # 'sgd' (with momentum) or 'adamw'.
      learning_rate=0.1,
      warmup_steps=0,
      weight_decay=1e-4,
      momentum=0.9,
      clip_norm=0.0,  # Of the gradient; 0: unclipped.
      label_smoothing=0.0,
      augment='none',  # See overlap/data/augment.
      log_every_steps=100,
      checkpoint_every_steps=250,
    )
  )
  config.simclr = ml_collections.ConfigDict(
    dict(
      total_steps=0,
      batch_size=256,
      learning_rate=1e-3,
      warmup_steps=0,
      weight_decay=1e-4,
      augment='simclr',
      temperature=0.5,  # Of NT-Xent.
      hidden_size=128,  # Of the projection head.
      projection_size=64,
    )
  )
  config.distill = ml_collections.ConfigDict(
    dict(
      teacher='',  # The name of another model of the study.
      kind='hard',  # 'hard': the teacher's class; 'soft': its distribution.
      weight=0.5,  # Of the teacher against the labels.
      temperature=1.0,  # Of 'soft'.
    )
  )
  config.head = ml_collections.ConfigDict(
    dict(
      fit='trained',  # 'trained' with the network, or 'lbfgs' on features.
      max_examples=0,  # Of the training split; 0: all.
      strengths=(1e-4, 1e-3, 1e-2, 1e-1, 1.0),  # Of L2, chosen held-out.
      max_iterations=1000,
    )
  )
  config.lock()
  config.architecture.options.unlock()
  return config


def resolve(config: ml_collections.ConfigDict) -> dict[str, Any]:
  """Checks a study's config against the schema; returns plain dictionaries.

  Tuples become lists, as they do in `config.json`, so that a config equals
  its own copy read back.

  Raises:
    UsageError: an unknown or missing field, a field of another type, no
      model, or a base that is none of the models.
  """
  plain = _plain(config.to_dict())
  schema = _plain(study().to_dict())
  models = plain.get('models', {})
  _check(plain | {'models': {}}, schema, 'config')
  for name, settings in models.items():
    template = _plain(model('').to_dict())
    _check(settings, template, f'config.models.{name}')
  if not models:
    raise errors.UsageError('A study needs a model, got config.models = {}.')
  lookup.check('model for config.base', plain['base'], models)
  require(plain, 'data.dataset')
  return plain


def resolve_defaults() -> dict[str, Any]:
  """The schema's defaults, as plain dictionaries."""
  return _plain(study().to_dict())


def require(config: Mapping[str, Any], path: str) -> Any:
  """The value at a dotted path.

  Raises:
    UsageError: it is empty; the text names the flag that sets it.
  """
  value: Any = config
  for key in path.split('.'):
    value = value[key]
  if value in ('', None):
    raise errors.UsageError(
      f'config.{path} must be given, got {value!r}: set it in the config file'
      f' or with --config.{path}=...'
    )
  return value


def flatten(tree: Mapping[str, Any], prefix: str = '') -> dict[str, Any]:
  """Nested dictionaries as one, keys joined by dots."""
  flat: dict[str, Any] = {}
  for key, value in tree.items():
    path = f'{prefix}{key}'
    if isinstance(value, Mapping) and value:
      flat |= flatten(value, f'{path}.')
    else:
      flat[path] = value
  return flat


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
  """One text a field that differs: 'models.base.seed: 0 -> 1'.

  Fields that no result depends on, such as where data lie, are left out.
  """
  old, new = flatten(old), flatten(new)
  return [
    f'{path}: {old.get(path, "absent")!r} -> {new.get(path, "absent")!r}'
    for path in sorted(old.keys() | new.keys())
    if old.get(path, ...) != new.get(path, ...)
    and not path.endswith(_IMMATERIAL)
  ]


def one_line(error: Exception) -> str:
  """The text of an exception raised while a config was read, as one line."""
  text = error.args[0] if error.args else type(error).__name__
  return re.sub(r'\s+', ' ', str(text)).strip()


def _plain(value: Any) -> Any:
  if isinstance(value, Mapping):
    return {str(key): _plain(item) for key, item in value.items()}
  if isinstance(value, (list, tuple)):
    return [_plain(item) for item in value]
  return value


def _check(
  given: Mapping[str, Any], schema: Mapping[str, Any], path: str
) -> None:
  for key in given:
    lookup.check(f'field of {path}', key, schema)
  for key, default in schema.items():
    where = f'{path}.{key}'
    if key not in given:
      raise errors.UsageError(f'{where} must be given, got nothing.')
    value = given[key]
    if where.endswith(_FREE_FORM) or where == 'config.models':
      continue
    if isinstance(default, Mapping):
      if not isinstance(value, Mapping):
        raise errors.UsageError(f'{where} must hold fields, got {value!r}.')
      _check(value, default, where)
    elif not _same_type(value, default):
      raise errors.UsageError(
        f'{where} must be of type {type(default).__name__}, got {value!r}.'
      )


def _same_type(value: Any, default: Any) -> bool:
  if isinstance(default, float):
    return isinstance(value, (int, float)) and not isinstance(value, bool)
  return type(value) is type(default)

"""The paper's models, one record each, and what each of them needs here.

There are three ways to a model's predictions:

- 'train': a config trains it; `settings` are the fields in which it differs
  from `overlap.config.model(architecture)`, the schedule's apart.
- 'load': a checkpoint is loaded by `init.checkpoint`.
- 'bring': its architecture or its training data can't be had here; it is run
  elsewhere, and `overlap ingest` brings in its predictions.
"""

import dataclasses
import functools
import re
from typing import Any

from overlap.catalog import categories, paper
from overlap.catalog.paper import published

WAYS = ('train', 'load', 'bring')
# The REINIT row of table 1 has the plain name.
BASE_NAME = 'ResNet-50 (base)'

Settings = tuple[tuple[str, Any], ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class PaperModel:
  """A model of the paper; shares are fractions, None where it gives none.

  Attributes:
    name: as in the paper's tables.
    table: which of them lists it; 0 for the base, which none does.
    citation: as in the tables, often empty.
    category: relative to the base, 'BASE' for itself.
    method: 'Sup. / IN': the objective and the training data.
    head: 'Trained', 'L-BFGS', 'Zero Shot', ...
    accuracy: on ImageNet.
    temperature: of its calibration.
    error_inconsistency: with the base.
    ensemble_accuracy: with the base.
    way: one of `WAYS`.
    needs: what has to be given for it, for people.
    architecture: a key of `overlap.models.MODELS`, '' where it is not there.
    settings: (dotted field of a model's config, value).
  """

  name: str
  table: int
  citation: str
  category: str
  method: str
  head: str
  accuracy: float
  temperature: float | None
  error_inconsistency: float | None
  ensemble_accuracy: float | None
  way: str
  needs: str
  architecture: str = ''
  settings: Settings = ()


@functools.cache
def models() -> tuple[PaperModel, ...]:
  """The base, then the rows of tables 1 to 4 in their order."""
  rows = [_base()]
  for number in paper.TABLES:
    for row in paper.table(number).to_dict('records'):
      rows.append(_record(number, row))
  return tuple(rows)


def find(name: str) -> PaperModel | None:
  """The record of that name, None where the paper has no such model."""
  return next((model for model in models() if model.name == name), None)


def _base() -> PaperModel:
  return PaperModel(
    name=BASE_NAME,
    table=0,
    citation='He et al. 2016',
    category=categories.BASE,
    method='Sup. / IN',
    head='Trained',
    accuracy=published.BASE_ACCURACY,
    temperature=None,
    error_inconsistency=None,
    ensemble_accuracy=None,
    **_training('resnet', _RESNET, 'trained with RandAugment'),
  )


def _record(number: int, row: dict[str, Any]) -> PaperModel:
  """The record of a row of a table, whose accuracies are per cent."""
  name = row['model']
  return PaperModel(
    name=name,
    table=number,
    citation=row.get('citation', ''),
    category=row['category'],
    method=row['method'],
    head=row['head'],
    accuracy=_fraction(row['accuracy']),
    temperature=row.get('temperature'),
    error_inconsistency=row.get('error_inconsistency'),
    ensemble_accuracy=_fraction(row.get('ensemble_accuracy')),
    **_way(name),
  )


def _fraction(per_cent: float | None) -> Any:
  # Rounded, so that 76.2 is 0.762 and not its neighbour.
  return None if per_cent is None else round(per_cent / 100, 6)


_OPTIONS = 'architecture.options.'
# Blocks in each stage, by depth.
_STAGES = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


def _resnet(depth: int = 50) -> Settings:
  """A ResNet, trained with RandAugment as the base is (Sec. 3.2)."""
  return (
    (f'{_OPTIONS}stage_sizes', _STAGES[depth]),
    ('train.augment', 'resized_crop|flip|randaugment'),
  )


_RESNET = _resnet()
# What the names of the sweeps in tables 1 and 4 set.
_FIELDS = {
  'Dropout': f'{_OPTIONS}dropout_rate',
  'Label Smoothing': 'train.label_smoothing',
  'Learning Rate': 'train.learning_rate',
  'LR': 'train.learning_rate',
  'Weight Decay': 'train.weight_decay',
  'WD': 'train.weight_decay',
}


def resnet_settings(name: str) -> Settings | None:
  """What a ResNet's name in the tables says of its config.

  'ResNet-50 (LR 0.2, WD 0.00005)' sets two fields beside those of a
  ResNet-50. None where the name is not of one.
  """
  found = re.fullmatch(r'ResNet-(50|101)(?:x([\d.]+))?(?: \((.+)\))?', name)
  if not found:
    return None
  depth, width, inner = found.groups()
  settings = _resnet(int(depth))
  if width is not None:
    settings += ((f'{_OPTIONS}width_multiplier', float(width)),)
  if inner is None:
    return settings
  dropblock = re.fullmatch(r'DropBlock (\d+), ([\d.]+)', inner)
  if dropblock:
    groups, keep_prob = dropblock.groups()
    return (
      *settings,
      (f'{_OPTIONS}dropblock_groups', tuple(map(int, groups))),
      (f'{_OPTIONS}dropblock_keep_prob', float(keep_prob)),
    )
  pairs = (part.rpartition(' ') for part in inner.split(', '))
  return settings + tuple(
    (_FIELDS[field], float(value)) for field, _, value in pairs
  )


def _way(name: str) -> dict[str, Any]:
  """The fields `way`, `needs`, `architecture` and `settings` of a model."""
  settings = resnet_settings(name)
  if settings is not None:
    # The REINIT row differs from the base in its seed alone.
    reinit = settings == _RESNET
    return _training('resnet', (*settings, ('seed', 1)) if reinit else settings)
  if name in _TRAINED:
    architecture, settings, more = _TRAINED[name]
    return _training(architecture, settings, more)
  if name in _LOADED:
    architecture, settings, weights = _LOADED[name]
    return {
      'way': 'load',
      'needs': f'init.checkpoint: {weights}',
      'architecture': architecture,
      'settings': settings,
    }
  return {'way': 'bring', 'needs': _BROUGHT[name]}


def _training(
  architecture: str, settings: Settings, more: str = ''
) -> dict[str, Any]:
  """The fields of a model that a config trains; a ResNet-50's go unsaid."""
  shown = [
    f'{field.removeprefix(_OPTIONS)}={_text(value)}'
    for field, value in settings
    if (field, value) not in _RESNET
  ]
  needs = f'config: {" ".join([architecture, *shown])}'
  return {
    'way': 'train',
    'needs': f'{needs}; {more}' if more else needs,
    'architecture': architecture,
    'settings': settings,
  }


def _text(value: Any) -> str:
  if isinstance(value, tuple):
    return f'({",".join(map(str, value))})'
  return f'{value:g}' if isinstance(value, float) else str(value)


_IMAGENET_VIT: Settings = (
  ('input.size', 224),
  (f'{_OPTIONS}patch_size', 16),
  ('train.optimizer', 'adamw'),
)
# Name: (architecture, settings, what else it needs).
_TRAINED: dict[str, tuple[str, Settings, str]] = {
  'MobileNet-V2': ('mobilenet_v2', (), ''),
  'DenseNet-121': ('densenet', (), ''),
  'ViT-B/16': ('vit', _IMAGENET_VIT, ''),
  'SimCLR': (
    'resnet',
    (*_RESNET, ('method', 'simclr')),
    'fine-tuned for train.total_steps',
  ),
  'ViT-DeiT-Tiny': (
    'vit',
    (
      *_IMAGENET_VIT,
      (f'{_OPTIONS}hidden_size', 192),
      (f'{_OPTIONS}num_heads', 3),
      (f'{_OPTIONS}distilled', True),
      ('method', 'distill'),
    ),
    'distill.teacher, another model of the study',
  ),
}


# Images are normalised as CLIP's authors do.
_CLIP: Settings = (
  ('init.pretrained_on', 'WIT'),
  ('input.mean', (0.48145466, 0.4578275, 0.40821073)),
  ('input.std', (0.26862954, 0.26130258, 0.27577711)),
)
_CLIP_S: Settings = (*_CLIP, ('input.size', 224))
_CLIP_L: Settings = (
  *_CLIP,
  ('input.size', 336),
  (f'{_OPTIONS}patch_size', 14),
  (f'{_OPTIONS}hidden_size', 1024),
  (f'{_OPTIONS}depth', 24),
  (f'{_OPTIONS}num_heads', 16),
  (f'{_OPTIONS}projection_size', 768),
)
_LBFGS: Settings = (
  ('head.fit', 'lbfgs'),
  (f'{_OPTIONS}representation', 'pooled'),
)
_ZERO_SHOT: Settings = (('head.fit', 'zero_shot'),)
_SMALL = "openai/clip-vit-base-patch32's"
_LARGE = "openai/clip-vit-large-patch14-336's"
# Name: (architecture, settings, whose weights).
_LOADED: dict[str, tuple[str, Settings, str]] = {
  'CLIP-S': ('clip', _CLIP_S + _LBFGS, f'{_SMALL} weights'),
  'CLIP-S-ZS': ('clip', _CLIP_S + _ZERO_SHOT, f'{_SMALL} weights, tokenizer'),
  'CLIP-L': ('clip', _CLIP_L + _LBFGS, f'{_LARGE} weights'),
  'CLIP-L-ZS': ('clip', _CLIP_L + _ZERO_SHOT, f'{_LARGE} weights, tokenizer'),
}


def _elsewhere(timm_name: str) -> str:
  return f'predictions: no such architecture here (timm: {timm_name})'


_JFT = 'predictions: JFT is private'
_ALIGN = "predictions: ALIGN's data and weights are private"
_BROUGHT = {
  'EfficientNet-B0': _elsewhere('efficientnet_b0'),
  'SK-ResNet-34': _elsewhere('skresnet34'),
  'VGG19 BatchNorm': _elsewhere('vgg19_bn'),
  'Legacy-SEResNet-34': _elsewhere('legacy_seresnet34'),
  'Legacy-SEResNet-50': _elsewhere('legacy_seresnet50'),
  'SEResNeXt-26d': _elsewhere('seresnext26d_32x4d'),
  'DenseNet-Blur-121d': _elsewhere('densenetblur121d'),
  'Inception-V3': _elsewhere('inception_v3'),
  'TF-Inception-V3': _elsewhere('inception_v3.tf_in1k'),
  'Adv Inception-V3': _elsewhere('inception_v3.tf_adv_in1k'),
  'HRNet-W18-Small': _elsewhere('hrnet_w18_small'),
  'DPN-68': _elsewhere('dpn68'),
  'DLA-60': _elsewhere('dla60'),
  'ESE-VoVNet': _elsewhere('ese_vovnet19b_dw'),
  'ViT-S/16': 'predictions: pre-trained on ImageNet-21k',
  'ALIGN-ZS': _ALIGN,
  'EfficientNet-B3': _elsewhere('efficientnet_b3'),
  'ALIGN': _ALIGN,
  'ViT-H/14': _JFT,
  'ViT-G/14': _JFT,
  'MPL': _JFT,
  'BiT-1k': _JFT,
  'BiT-JFT': f'{_JFT}, and so is its mapping of classes',
}

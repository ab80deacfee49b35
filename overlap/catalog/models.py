"""Models of the paper, one record each, and the requirements to use them here.

There are three ways to obtain a model's predictions:

- 'load': a public checkpoint is loaded into our module by `init.checkpoint`.
- 'train': a config trains it; `settings` are the fields in which it differs
  from `overlap.config.schema.model(architecture)`, without the schedule.
- 'bring': its weights are not public; it is run elsewhere, and `overlap
  ingest` imports its predictions.
"""

import dataclasses
import functools
from typing import Any

from overlap.catalog import brought, categories, paper, sweeps
from overlap.catalog.paper import published
from overlap.catalog.released import RELEASED
from overlap.catalog.sweeps import OPTIONS, Settings
from overlap.core import lookup

WAYS = ('train', 'load', 'bring')
# Name of the base; the REINIT row of table 1 has the plain name.
BASE_NAME = 'ResNet-50 (base)'


@dataclasses.dataclass(frozen=True, kw_only=True)
class PaperModel:
  """Model of the paper; shares are fractions, None if the paper gives none.

  Attributes:
    name: name in the paper's tables.
    table: number of the table with the model; 0 for the base, which is in none.
    citation: citation in the tables, often empty.
    category: category relative to the base as in the tables, 'BASE' for the
      base itself.
    method: training objective and data, such as 'Sup. / IN'.
    head: head as in the tables: 'Trained', 'L-BFGS', 'Zero Shot', ...
    accuracy: accuracy on ImageNet.
    temperature: temperature of the calibration.
    error_inconsistency: error inconsistency with the base.
    ensemble_accuracy: accuracy of the ensemble with the base.
    way: one of `WAYS`.
    needs: requirements, as text for users.
    architecture: a key of `overlap.models.MODELS`, or the paper's name of an
      architecture that is not implemented.
    parameters: number of parameters at 1,000 classes, of the image tower if
      there are two towers; 0 if the paper does not say.
    image_size: side of the images in pixels; 0 if the paper does not say.
    checkpoint: public weights, as for `init.checkpoint`; '' for none.
    settings: pairs (dotted field of a model's config, value), without the
      checkpoint.
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
  architecture: str
  parameters: int = 0
  image_size: int = 0
  checkpoint: str = ''
  settings: Settings = ()

  def axes(self) -> dict[str, str]:
    """Position of the model on the axes of Sec. 3.1, from its fields."""
    objective, _, dataset = self.method.partition(' / ')
    fields = dict(self.settings)
    seed = fields.pop('seed', 0)
    # A distilled model learns from a model as well as from labels.
    distilled = ' distilled' if self.head == 'Distilled' else ''
    return {
      'dataset': dataset,
      'framework': f'{objective}{distilled}',
      'architecture': self.architecture,
      'hparams': repr((self.head, self.checkpoint, sorted(fields.items()))),
      'seed': str(seed),
    }


def category(model: PaperModel, base: PaperModel) -> str:
  """Returns a model's category relative to any base, from the fields.

  Returns:
    'BASE' for the base itself, else as `categories.category_to_base`.
  """
  if model == base:
    return categories.BASE
  return categories.category_to_base(model.axes(), base.axes())


@functools.cache
def models() -> tuple[PaperModel, ...]:
  """Returns the base, then the models of tables 1 to 4 in their order."""
  rows = [_base()]
  for number in paper.TABLES:
    for row in paper.table(number).to_dict('records'):
      rows.append(_record(number, row))
  return tuple(rows)


def find(name: str) -> PaperModel | None:
  """Returns the model of that name, or None if the paper has none."""
  return next((model for model in models() if model.name == name), None)


def get(name: str) -> PaperModel:
  """Returns the model of that name.

  Raises:
    UsageError: the paper has no such model; the message names the nearest.
  """
  lookup.check_choice(
    'model of the paper', name, [model.name for model in models()]
  )
  found = find(name)
  assert found
  return found


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
    **_resnet('ResNet-50', sweeps.BASE, 'trained with RandAugment'),
  )


def _record(number: int, row: dict[str, Any]) -> PaperModel:
  """Returns the model in a row of a table, whose accuracies are per cent."""
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
  # Rounded, so that 76.2 becomes 0.762 exactly.
  return None if per_cent is None else round(per_cent / 100, 6)


def _way(name: str) -> dict[str, Any]:
  """Returns a model's fields from `way` on."""
  settings = sweeps.resnet_settings(name)
  if settings is not None:
    # The REINIT row differs from the base in its seed only.
    reinit = settings == sweeps.BASE
    seeded = (*settings, ('seed', 1)) if reinit else settings
    return _resnet(name, seeded)
  if name in RELEASED:
    found = RELEASED[name]
    return {
      'way': 'load',
      'needs': found.needs,
      'architecture': found.architecture,
      'parameters': found.parameters,
      'image_size': dict(found.settings)['input.size'],
      'checkpoint': found.checkpoint,
      'settings': found.settings,
    }
  if name in _TRAINED:
    architecture, parameters, settings, more = _TRAINED[name]
    return _training(architecture, parameters, settings, more)
  return {'way': 'bring', **brought.BROUGHT[name]._asdict()}


def _resnet(name: str, settings: Settings, more: str = '') -> dict[str, Any]:
  return _training('resnet', sweeps.resnet_parameters(name), settings, more)


def _training(
  architecture: str, parameters: int, settings: Settings, more: str = ''
) -> dict[str, Any]:
  """Returns the fields of a trained model; `needs` omits those of the base."""
  shown = [
    f'{field.removeprefix(OPTIONS)}={_text(value)}'
    for field, value in settings
    if (field, value) not in sweeps.BASE
  ]
  needs = f'config: {" ".join([architecture, *shown])}'
  return {
    'way': 'train',
    'needs': f'{needs}; {more}' if more else needs,
    'architecture': architecture,
    'parameters': parameters,
    'image_size': dict(settings)['input.size'],
    'settings': settings,
  }


def _text(value: Any) -> str:
  if isinstance(value, tuple):
    return f'({",".join(map(str, value))})'
  return f'{value:g}' if isinstance(value, float) else str(value)


_VIT: Settings = (
  ('input.size', 224),
  (f'{OPTIONS}patch_size', 16),
  ('train.optimizer', 'adamw'),
)
# Name: (architecture, parameters, settings, further requirements).
_TRAINED: dict[str, tuple[str, int, Settings, str]] = {
  'ViT-B/16': ('vit', 86_567_656, _VIT, ''),
  'SimCLR': (
    'resnet',
    sweeps.resnet_parameters('ResNet-50'),
    (*sweeps.BASE, ('method', 'simclr')),
    'fine-tuned for train.total_steps',
  ),
  'ViT-DeiT-Tiny': (
    'vit',
    5_910_800,
    (
      *_VIT,
      (f'{OPTIONS}hidden_size', 192),
      (f'{OPTIONS}num_heads', 3),
      (f'{OPTIONS}distilled', True),
      ('method', 'distill'),
    ),
    'distill.teacher, another model of the study',
  ),
}

r"""The paper's models on ImageNet: every row of its tables that can be had.

  overlap train --config=configs/imagenet/paper.py:all --workdir=W \
    --config.data.data_dir=DIR --model=resnet_50_dropout_0_1

trains one of them; without --model, all, one after another. After the colon:

- `all`: 73 that are trained, and the 5 of DATASET with public weights;
- `trained`: the 73;
- a category: REINIT, HPARAM, ARCH, FRAMEWORK or DATASET;
- one model, by its name in the tables ('ResNet-50 (Dropout 0.1)') or in the
  config (resnet_50_dropout_0_1).

The base is in all of them, since the others are compared with it, and so is the
teacher of a model that has one. A workdir belongs to one of these forms: `all`
is the one in which models can be trained on several machines that share a
folder, each with its own --model, and compared by `overlap study` in the end.

What the paper sets is told by `overlap models`, all else by `base.py` and
`recipes.py`; the data, by `base.py`. The seven models whose weights nobody
outside has are brought by `overlap ingest`.
"""

import pathlib

import ml_collections

from overlap.catalog import categories, models, names
from overlap.catalog.models import PaperModel
from overlap.config import schema
from overlap.core import lookup, python_file

_HERE = pathlib.Path(__file__).parent
_base, _recipes = (
  python_file.load(_HERE / name) for name in ('base.py', 'recipes.py')
)


def get_config(arg: str = 'all') -> ml_collections.ConfigDict:
  """The study; see above for `arg`."""
  config = _base.study()
  config.name = f'imagenet:{names.key(arg)}'
  for row in _chosen(arg):
    config.models[names.key(row.name)] = _settings(row)
  return config


def _chosen(arg: str) -> list[PaperModel]:
  """The base, the models asked for, and teachers, in the tables' order."""
  trained = [row for row in models.models() if _is_trained(row)]
  loaded = [
    row
    for row in models.models()
    if row.way == 'load' and row.category == 'DATASET'
  ]
  forms = {'all': [*trained, *loaded], 'trained': trained} | {
    category: [row for row in [*trained, *loaded] if row.category == category]
    for category in categories.CATEGORIES
  }
  alone = {names.key(row.name): [row] for row in [*trained, *loaded]}
  if arg not in forms:
    arg = names.key(arg)
    lookup.check_choice(
      'model or category of this config', arg, [*forms, *alone]
    )
  chosen = (forms | alone)[arg]
  wanted = {models.BASE_NAME, *(row.name for row in chosen)}
  teachers = {
    _recipes.RECIPES.get(name, {}).get('distill.teacher') for name in wanted
  }
  return [
    row
    for row in [*trained, *loaded]
    if row.name in wanted or names.key(row.name) in teachers
  ]


def _is_trained(row: PaperModel) -> bool:
  return row.way == 'train' or row.name in _recipes.RECIPES


def _settings(row: PaperModel) -> ml_collections.ConfigDict:
  if not _is_trained(row):
    return schema.paper_model(row.name)
  config = _base.model(row.name, _recipes.RECIPES.get(row.name))
  if row.name == 'SimCLR':
    # Fine-tuning is by crops and mirror images alone (Chen et al. 2020, B.5).
    config.train.augment = 'resized_crop|flip'
    config.train.augment_on_host = 2
  return config

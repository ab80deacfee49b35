"""Models of the paper with public weights of their own or a similar model's.

Checkpoints are named as by timm and the Hugging Face hub; images are prepared
as in the evaluation of those weights. If several checkpoints of an architecture
are public, the one nearest to the paper's accuracy is used.
"""

from typing import NamedTuple

from overlap.catalog.sweeps import OPTIONS, Settings

_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_HALVES = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
_DPN = (124 / 255, 117 / 255, 104 / 255), (0.23482447,) * 3
_CLIP = (
  (0.48145466, 0.4578275, 0.40821073),
  (0.26862954, 0.26130258, 0.27577711),
)


class Released(NamedTuple):
  """Model with public weights.

  Attributes:
    architecture: a key of `overlap.models.MODELS`.
    checkpoint: value for `init.checkpoint`; '' if the file must be downloaded
      by hand.
    needs: requirements, as text for users.
    parameters: number of parameters at 1,000 classes, of the image tower if
      there are two towers.
    settings: fields of the model's config, without the checkpoint.
  """

  architecture: str
  checkpoint: str
  needs: str
  parameters: int
  settings: Settings


def _options(**options) -> Settings:
  return tuple((f'{OPTIONS}{name}', value) for name, value in options.items())


def _images(
  size: int, normalisation, interpolation: str = 'bicubic', crop: float = 0.875
) -> Settings:
  mean, std = normalisation
  return (
    ('input.size', size),
    ('input.channels', 3),
    ('input.mean', mean),
    ('input.std', std),
    ('input.resize', 'shorter_side'),
    ('input.crop', crop),
    ('input.interpolation', interpolation),
  )


def _timm(
  architecture: str,
  tag: str,
  parameters: int,
  images: Settings,
  *,
  data: str = 'IN',
  hub: bool = True,
  **options,
) -> Released:
  """Returns a model of timm; `hub`: whether its weights are on the hub."""
  by_hand = f'a file of timm {tag} in init.checkpoint'
  checkpoint = f'hf://timm/{tag}/model.safetensors' if hub else ''
  return Released(
    architecture=architecture,
    checkpoint=checkpoint,
    needs=f'weights: {checkpoint or by_hand}',
    parameters=parameters,
    settings=(
      ('init.pretrained_on', data),
      *images,
      *_options(**options),
    ),
  )


def _clip(
  name: str, parameters: int, images: Settings, head: Settings, **options
) -> Released:
  tokenizer = '; its tokenizer' if head == _ZERO_SHOT else ''
  return Released(
    architecture='clip',
    checkpoint=f'hf://openai/{name}/model.safetensors',
    needs=f'weights: hf://openai/{name}/model.safetensors{tokenizer}',
    parameters=parameters,
    settings=(
      ('init.pretrained_on', 'WIT'),
      *images,
      *_options(**options),
      *head,
    ),
  )


_BICUBIC = _images(224, _IMAGENET)
_BILINEAR = _images(224, _IMAGENET, 'bilinear')
_INCEPTION = _images(299, _HALVES)
_VIT = _images(224, _HALVES, crop=0.9)
_CLIP_S = _images(224, _CLIP, crop=1.0)
_CLIP_L = _images(336, _CLIP, crop=1.0)
_LARGE = dict(
  patch_size=14, hidden_size=1024, depth=24, num_heads=16, projection_size=768
)
_LBFGS: Settings = (
  ('head.fit', 'lbfgs'),
  (f'{OPTIONS}representation', 'pooled'),
)
_ZERO_SHOT: Settings = (('head.fit', 'zero_shot'),)

# Models by name in the paper's tables.
RELEASED = {
  'EfficientNet-B0': _timm(
    'efficientnet', 'efficientnet_b0.ra_in1k', 5_288_548, _BICUBIC, variant=0
  ),
  'EfficientNet-B3': _timm(
    'efficientnet', 'efficientnet_b3.ra2_in1k', 12_233_232,
    _images(288, _IMAGENET), variant=3,
  ),
  'SK-ResNet-34': _timm('sknet', 'skresnet34.ra_in1k', 22_282_376, _BICUBIC),
  'MobileNet-V2': _timm(
    'mobilenet_v2', 'mobilenetv2_120d.ra_in1k', 5_831_144, _BICUBIC,
    width_multiplier=1.2, depth_multiplier=1.4, scale_ends=False,
  ),
  'VGG19 BatchNorm': _timm('vgg', 'vgg19_bn.tv_in1k', 143_678_248, _BILINEAR),
  'Legacy-SEResNet-34': _timm(
    'senet', 'legacy_seresnet34.in1k', 21_958_868, _BILINEAR, hub=False,
    block='basic',
  ),
  'Legacy-SEResNet-50': _timm(
    'senet', 'legacy_seresnet50.in1k', 28_088_024, _BILINEAR, hub=False
  ),
  'SEResNeXt-26d': _timm(
    'senet', 'seresnext26d_32x4d.bt_in1k', 16_809_512, _BICUBIC,
    stage_sizes=(2, 2, 2, 2), groups=32, width_per_group=4, form='d',
  ),
  'DenseNet-121': _timm(
    'densenet', 'densenet121.ra_in1k', 7_978_856, _BICUBIC
  ),
  'DenseNet-Blur-121d': _timm(
    'densenet', 'densenetblur121d.ra_in1k', 7_998_088, _BICUBIC, stem='deep',
    blur_pool=True,
  ),
  'Inception-V3': _timm(
    'inception_v3', 'inception_v3.tv_in1k', 23_834_568, _INCEPTION
  ),
  'TF-Inception-V3': _timm(
    'inception_v3', 'inception_v3.tf_in1k', 23_834_568, _INCEPTION
  ),
  'Adv Inception-V3': _timm(
    'inception_v3', 'inception_v3.tf_adv_in1k', 23_834_568, _INCEPTION
  ),
  # Version 2: timm's version 1 has 72.3 % accuracy.
  'HRNet-W18-Small': _timm(
    'hrnet', 'hrnet_w18_small_v2.ms_in1k', 15_597_464, _BILINEAR
  ),
  'DPN-68': _timm('dpn', 'dpn68.mx_in1k', 12_611_602, _images(224, _DPN)),
  'DLA-60': _timm('dla', 'dla60.in1k', 22_036_632, _BILINEAR),
  'ESE-VoVNet': _timm(
    'vovnet', 'ese_vovnet19b_dw.ra_in1k', 6_543_080, _BICUBIC
  ),
  'ViT-S/16': _timm(
    'vit', 'vit_small_patch16_224.augreg_in21k_ft_in1k', 22_050_664, _VIT,
    data='IN-21k', hidden_size=384, num_heads=6,
  ),
  'CLIP-S': _clip('clip-vit-base-patch32', 88_618_216, _CLIP_S, _LBFGS),
  'CLIP-S-ZS': _clip('clip-vit-base-patch32', 88_362_216, _CLIP_S, _ZERO_SHOT),
  'CLIP-L': _clip(
    'clip-vit-large-patch14-336', 305_318_888, _CLIP_L, _LBFGS, **_LARGE
  ),
  'CLIP-L-ZS': _clip(
    'clip-vit-large-patch14-336', 305_062_888, _CLIP_L, _ZERO_SHOT, **_LARGE
  ),
}  # fmt: skip

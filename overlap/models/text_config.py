"""Options of image-text models, read from the config.json beside the weights.

The file is transformers'. It leaves out what equals its defaults, which are
therefore stated here.
"""

from collections.abc import Mapping
from typing import Any

from etils import epath

from overlap import errors, files, lookup

# transformers' names and defaults of what we read.
_SHARED = {'num_hidden_layers': 12, 'hidden_act': None}
_CLIP_TEXT = {
  'vocab_size': 49408,
  'hidden_size': 512,
  'intermediate_size': 2048,
  'num_hidden_layers': 12,
  'num_attention_heads': 8,
  'max_position_embeddings': 77,
  'hidden_act': 'quick_gelu',
  'eos_token_id': 49407,
}
_CLIP_IMAGE = {
  'hidden_size': 768,
  'intermediate_size': 3072,
  'num_hidden_layers': 12,
  'num_attention_heads': 12,
  'patch_size': 32,
  'hidden_act': 'quick_gelu',
}
# Written in configs of 2021 to 2023, where it stands for the last token.
_OLD_END = 2

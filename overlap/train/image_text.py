"""Image-text contrastive learning: CLIP and ALIGN, from scratch.

Radford et al., 'Learning Transferable Visual Models From Natural Language
Supervision' (ICML 2021); Jia et al., 'Scaling Up Visual and Vision-Language
Representation Learning With Noisy Text Supervision' (ICML 2021).

A text tower is trained beside the image tower, which may be any model, by
comparing their features at unit length. The classifier comes afterwards: from
texts about the classes (`head.fit='zero_shot'`, for architectures with
features of unit length), by L-BFGS on the frozen features, or by fine-tuning
for `train.total_steps`.
"""

import functools
import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from overlap.catalog import prompts
from overlap.data import augment, captions
from overlap.data.examples import Examples
from overlap.models import text_encoder
from overlap.predict.forward import Input
from overlap.train import losses, step, supervised, texts, zero_shot
from overlap.train.task import Task, batches_of, run_phase

# Logarithm of 100, CLIP's upper bound on the scale of the cosines.
MOST_LOG_SCALE = math.log(100)


def train(task: Task, variables: Any) -> Any:
  """Trains both towers on pairs, then builds or fine-tunes the classifier."""
  settings = task.settings['image_text']
  tokenizer = texts.make_tokenizer(task.settings)
  text_model = texts.make_tower(
    task.settings,
    tokenizer,
    projection_size=variables['params']['head']['kernel'].shape[0],
  )
  text_variables = text_model.init(
    jax.random.key(task.settings['seed']), jnp.zeros((1, 2), jnp.int32)
  )
  image_params = dict(variables['params'])
  if 'image' in image_params and not task.settings['init']['checkpoint']:
    # CLIP's own image tower is initialised like the text tower.
    image_params['image'] = texts.widen(image_params['image'])
  start = {
    'params': {
      'image': image_params,
      'text': texts.widen(text_variables['params']),
      'log_scale': np.float32(-math.log(settings['temperature'])),
    },
    'batch_stats': variables.get('batch_stats', {}),
  }
  loss = make_loss(
    task.model,
    task.model_input,
    text_model,
    policy=settings['augment'],
    label_smoothing=settings['label_smoothing'],
  )
  end = run_phase(
    task,
    'pairs',
    start,
    loss,
    settings,
    bounds=(('log_scale', MOST_LOG_SCALE),),
    batches_from=batches_of(task, pairs(task, tokenizer), settings),
  )
  params = dict(end['params']['image'])
  # Weight decay shrank the unused classifiers: reinitialise for fine-tuning.
  for name in ('head', 'head_dist'):
    if name in params:
      params[name] = variables['params'][name]
  if task.settings['head']['fit'] == 'zero_shot':
    encoder = text_encoder.TextEncoder(
      text_model,
      {'params': end['params']['text']},
      tokenizer,
      float(np.exp(end['params']['log_scale'])),
    )
    params['head'] = zero_shot.head(task, encoder)
  return supervised.train(
    task, {'params': params, 'batch_stats': end['batch_stats']}
  )


def pairs(task: Task, tokenizer: texts.AnyTokenizer) -> Examples:
  """Returns images and tokens of their own captions, or of class templates."""
  encode = functools.partial(texts.encode, tokenizer)
  if task.pairs is not None:
    found = task.pairs()
    return captions.Captioned(found, found.texts, encode)
  settings = task.settings
  makes = captions.from_classes(
    task.train,
    class_names=prompts.class_names(
      task.train.class_names, settings['head']['class_names']
    ),
    templates=prompts.sentences(settings['image_text']['templates']),
    attributes=settings['image_text']['attributes'],
    seed=settings['seed'],
  )
  return captions.Captioned(task.train, makes, encode)


@functools.cache
def make_loss(
  model: nn.Module,
  model_input: Input,
  text_model: nn.Module,
  *,
  policy: str,
  label_smoothing: float,
) -> step.Loss:
  """Returns the loss of one step: InfoNCE between images and texts."""
  transform = augment.build(policy)

  def loss(params, batch_stats, constants, batch, key):
    del constants
    augment_key, dropout_key = jax.random.split(key)
    images = transform(
      augment_key, supervised.prepare(model_input, batch['image'])
    )
    (_, features), updates = supervised.apply_train(
      model, model_input, params['image'], batch_stats, images, dropout_key
    )
    encoded = text_model.apply(
      {'params': params['text']}, batch['tokens'], batch['mask']
    )
    scale = jnp.exp(params['log_scale'])
    logits = scale * losses.cosines(features, encoded)
    value = jnp.mean(losses.info_nce(logits, label_smoothing))
    metrics = {
      'accuracy': supervised.accuracy(logits, jnp.arange(len(logits))),
      'scale': scale,
    }
    return value, step.Aux(updates.get('batch_stats', {}), metrics)

  return loss

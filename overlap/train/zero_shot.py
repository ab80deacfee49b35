"""Zero-shot heads: linear classifiers from texts about the classes.

In a study, an image-text model is its image tower. Its text tower is read once,
to make the head; from then on it is a model with a linear head on features of
unit length, which predicts and is trained like any other.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from absl import logging

from overlap.catalog import prompts
from overlap.core import errors, lookup
from overlap.models import text_encoder, zero_shot
from overlap.train.task import Task


def check_zero_shot(name: str, settings: Mapping[str, Any]) -> None:
  """Checks settings before any file is read.

  Args:
    name: name of the model.
    settings: config of the model.

  Raises:
    UsageError: the model has no text tower, no weights, or features that can't
      be compared with texts; or the templates are wrong.
  """
  at = f'config.models.{name}'
  architecture = settings['architecture']
  lookup.check_choice(
    f"model with texts, which head.fit='zero_shot' takes (in {at})",
    architecture['name'],
    text_encoder.TOWERS,
  )
  trained_here = settings['method'] == 'image_text'
  if not (trained_here or settings['init']['checkpoint']):
    raise errors.UsageError(
      f"{at}.head.fit='zero_shot' must have the weights of both towers, got "
      f"{at}.init.checkpoint=''."
    )
  representation = architecture['options'].get('representation', 'projected')
  if representation != 'projected':
    raise errors.UsageError(
      f"{at}.head.fit='zero_shot' must have representation='projected', got "
      f'{representation!r}.'
    )
  prompts.sentences(settings['head']['templates'])


def head(
  task: Task, encoder: text_encoder.TextEncoder | None = None
) -> dict[str, np.ndarray]:
  """Returns the kernel and bias of a zero-shot head for the task's classes.

  Args:
    task: task of the model.
    encoder: text tower; None for that of the checkpoint.

  Raises:
    UsageError: there is not one name per class, or files of the tokenizer are
      missing.
    DataError: the text tower can't be read.
  """
  settings = task.settings['head']
  names = prompts.class_names(task.train.class_names, settings['class_names'])
  templates = prompts.sentences(settings['templates'])
  encoder = encoder or text_encoder.load(
    task.settings['architecture']['name'],
    task.settings['init']['checkpoint'],
    folder=settings['text_folder'],
  )
  logging.info(
    '%s: head of %d classes in %d sentences each',
    task.name, len(names), len(templates),
  )  # fmt: skip
  classes = zero_shot.encode_classes(encoder, names, templates)
  return zero_shot.head(classes, encoder.scale)

"""Classifiers made of texts: a class is where sentences about it lie.

Radford et al., 'Learning Transferable Visual Models From Natural Language
Supervision' (ICML 2021), Sec. 3.1: the unit-length features of all sentences
about a class are averaged, and the mean is brought to unit length.
"""

from collections.abc import Callable, Sequence

import numpy as np

from overlap import errors


def normalise(features: np.ndarray) -> np.ndarray:
  """Features [..., D] of unit length; zeros stay zeros."""
  length = np.linalg.norm(features, axis=-1, keepdims=True)
  return features / np.maximum(length, 1e-12)


def class_features(text_features: np.ndarray) -> np.ndarray:
  """Averages over templates.

  Args:
    text_features: [classes, templates, D], of any length.

  Returns:
    [classes, D], of unit length.
  """
  return normalise(normalise(text_features).mean(axis=1))


def logits(
  image_features: np.ndarray, classes: np.ndarray, scale: float
) -> np.ndarray:
  """Scaled cosines of images and classes.

  Args:
    image_features: [images, D], of any length.
    classes: [classes, D], of unit length.
    scale: factor of the cosines.

  Returns:
    [images, classes].
  """
  return scale * normalise(image_features) @ classes.T


def head(classes: np.ndarray, scale: float) -> dict[str, np.ndarray]:
  """A linear head on image features of unit length, with the same logits.

  Args:
    classes: [classes, D], of unit length.
    scale: factor of the cosines.

  Returns:
    'kernel' [D, classes] and 'bias' [classes], float32.
  """
  return {
    'kernel': np.ascontiguousarray(scale * classes.T, np.float32),
    'bias': np.zeros(len(classes), np.float32),
  }


def encode_classes(
  encode: Callable[[Sequence[str]], np.ndarray],
  class_names: Sequence[str],
  templates: Sequence[str],
) -> np.ndarray:
  """Class features of names put into templates.

  Args:
    encode: from texts to features [texts, D].
    class_names: one for each class.
    templates: sentences with '{}' where a name goes.

  Returns:
    [classes, D], of unit length.

  Raises:
    UsageError: there are no classes or no templates.
  """
  if not (class_names and templates):
    raise errors.UsageError(
      'A zero-shot head must have classes and templates, got '
      f'{len(class_names)} and {len(templates)}.'
    )
  texts = [t.replace('{}', name) for name in class_names for t in templates]
  features = encode(texts)
  return class_features(features.reshape(len(class_names), len(templates), -1))

"""Zero-shot classifiers from the features of sentences about each class.

Radford et al., 'Learning Transferable Visual Models From Natural Language
Supervision' (ICML 2021), Sec. 3.1: the unit-length features of all sentences
about a class are averaged, and the mean is scaled to unit length.
"""

from collections.abc import Callable, Sequence

import numpy as np

from overlap.core import errors


def normalise(features: np.ndarray) -> np.ndarray:
  """Returns features [..., D] scaled to unit length; zeros stay zeros."""
  length = np.linalg.norm(features, axis=-1, keepdims=True)
  return features / np.maximum(length, 1e-12)


def class_features(text_features: np.ndarray) -> np.ndarray:
  """Returns class features, averaged over templates.

  Args:
    text_features: features [classes, templates, D], not normalised.

  Returns:
    Class features [classes, D] of unit length.
  """
  return normalise(normalise(text_features).mean(axis=1))


def logits(
  image_features: np.ndarray, classes: np.ndarray, scale: float
) -> np.ndarray:
  """Returns scaled cosines of images and classes, [images, classes].

  Args:
    image_features: features [images, D], not normalised.
    classes: class features [classes, D] of unit length.
    scale: factor of the cosines.
  """
  return scale * normalise(image_features) @ classes.T


def head(classes: np.ndarray, scale: float) -> dict[str, np.ndarray]:
  """Returns a linear head with these logits on features of unit length.

  Args:
    classes: class features [classes, D] of unit length.
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
  """Returns class features from class names in templates.

  Args:
    encode: function from texts to features [texts, D].
    class_names: names of the classes.
    templates: sentences with '{}' in place of the name.

  Returns:
    Class features [classes, D] of unit length.

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

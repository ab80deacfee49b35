"""Labels of TensorFlow Datasets: one class per image, or several."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np


class Labels(Protocol):
  """Rule that reads the labels of an example from its record.

  Attributes:
    class_names: C names.
    fields: fields of the record that are read.
    multi_label: whether an image may show several classes.
  """

  class_names: tuple[str, ...]
  fields: tuple[str, ...]
  multi_label: bool

  def label(self, record: Mapping[str, Any]) -> int:
    """The one class that stands for the image."""

  def targets(self, record: Mapping[str, Any]) -> np.ndarray:
    """int8 [C], see `overlap.data.examples.Examples.targets`."""


class Single:
  """The feature 'label'."""

  fields: tuple[str, ...] = ('label',)
  multi_label = False

  def __init__(self, class_names: tuple[str, ...]):
    self.class_names = class_names

  def label(self, record: Mapping[str, Any]) -> int:
    return record['label']

  def targets(self, record: Mapping[str, Any]) -> np.ndarray:
    result = np.zeros(len(self.class_names), np.int8)
    result[record['label']] = 1
    return result


class Several:
  """The feature 'labels', and 'labels_no_difficult' where there is one.

  Pascal VOC (2007) marks objects that are hard to recognise as difficult: an
  image whose objects of a class are all difficult counts neither for nor
  against that class.
  """

  multi_label = True

  def __init__(self, class_names: tuple[str, ...], has_difficult: bool):
    self.class_names = class_names
    self.fields: tuple[str, ...] = (
      ('labels', 'labels_no_difficult') if has_difficult else ('labels',)
    )

  def label(self, record: Mapping[str, Any]) -> int:
    """The first of the classes that are not difficult, else of all.

    Raises:
      ValueError: the image shows none.
    """
    for field in reversed(self.fields):
      if len(record[field]):
        return int(np.min(record[field]))
    raise ValueError('an image without a label')

  def targets(self, record: Mapping[str, Any]) -> np.ndarray:
    result = np.zeros(len(self.class_names), np.int8)
    result[np.asarray(record['labels'], np.int64)] = -1
    result[np.asarray(record[self.fields[-1]], np.int64)] = 1
    return result


class Unlabelled:
  """No feature: all labels are 0."""

  class_names: tuple[str, ...] = ('image',)
  multi_label = False

  def __init__(self, fields: tuple[str, ...]):
    self.fields = fields

  def label(self, record: Mapping[str, Any]) -> int:
    del record
    return 0

  def targets(self, record: Mapping[str, Any]) -> np.ndarray:
    del record
    return np.ones(1, np.int8)


def kind(features: Mapping[str, Any]) -> Single | Several | None:
  """Returns how a data set with these features is labelled; None: not at all.

  Args:
    features: features of TFDS, by name.
  """
  import tensorflow_datasets as tfds

  def names(feature: Any) -> tuple[str, ...] | None:
    if isinstance(feature, tfds.features.ClassLabel):
      return tuple(feature.names)
    return None

  single = names(features.get('label'))
  if single is not None:
    return Single(single)
  found = {
    name: names(getattr(features.get(name), 'feature', None))
    for name in ('labels', 'labels_no_difficult')
  }
  several = found['labels']
  if several is None:
    return None
  return Several(several, found['labels_no_difficult'] == several)

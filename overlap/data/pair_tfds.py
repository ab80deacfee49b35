"""Pairs of a data set of TFDS that has images with one or several texts."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from overlap.core import errors, lookup, progress
from overlap.data import pairs, tfds_labels, tfds_source
from overlap.data.pair_tables import numbered

_SPLIT = 'train'
_CHUNK = 1024  # Records that are read at once.


class TfdsPairs(pairs.Pairs):
  """An image with each of its captions, of the split 'train'.

  An id is the image's, with '#2' and so on for its further captions.
  """

  def __init__(
    self,
    dataset: str,
    *,
    image_size: int,
    channels: int,
    data_dir: str,
    caption: str,
  ):
    """Reads every record once, for the captions, which stay in memory.

    Args:
      dataset: 'tfds:NAME[/CONFIG][:VERSION]'.
      image_size: S.
      channels: 1 or 3.
      data_dir: folder that TFDS laid out.
      caption: 'KEY' or 'KEY/KEY' of the feature; '' where there is one.

    Raises:
      DataError: it can't be read, has no image, no text, or no pairs.
      UsageError: no such feature, or several to choose from.
    """
    builder = tfds_source.find_builder(dataset, data_dir)
    keys = _find(dataset, builder.info.features, caption)
    self._images = tfds_source.TfdsExamples(
      dataset=dataset, builder=builder, split=_SPLIT, image_size=image_size,
      channels=channels, labels=tfds_labels.Unlabelled(keys[:1]),
    )  # fmt: skip
    captions = [_texts(r, keys) for r in _records(self._images, dataset)]
    left_out = [i for i, texts in enumerate(captions) if not texts]
    self.captions = [text for texts in captions for text in texts]
    self._places = np.repeat(np.arange(len(captions)), list(map(len, captions)))
    ids = self._images.ids
    pairs.warn_left_out(
      dataset, ids[left_out].tolist(), len(captions) - len(left_out)
    )
    super().__init__(
      dataset, ids=numbered(ids[self._places].tolist()),
      image_size=image_size, channels=channels,
    )  # fmt: skip

  def open(
    self, indices: np.ndarray
  ) -> tuple[Callable[[int], bytes], np.ndarray]:
    return self._images.open(self._places[indices])

  def texts(self, indices: np.ndarray) -> list[str]:
    return [self.captions[i] for i in indices.tolist()]


def _find(dataset: str, features: Any, caption: str) -> tuple[str, ...]:
  """The keys of the feature that has the captions."""
  found = {'/'.join(keys): keys for keys in _text_features(features)}
  if caption:
    lookup.check_choice(f'text feature of {dataset}', caption, found)
    return found[caption]
  if not found:
    raise errors.DataError(
      f'{dataset} must have texts, and has no such feature.'
    )
  if len(found) > 1:
    raise errors.UsageError(
      f'image_text.caption must name the feature of {dataset} that has the '
      f"captions, got ''; choices: {', '.join(sorted(found))}."
    )
  return next(iter(found.values()))


def _text_features(features: Any) -> Iterator[tuple[str, ...]]:
  """Yields the keys of texts: one, a list, or a field of a list of fields."""
  for key, feature in _items(features):
    inner = getattr(feature, 'feature', feature)
    if _is_text(inner):
      yield (key,)
    for name, field in _items(inner):
      if _is_text(field):
        yield (key, name)


def _items(feature: Any) -> list[tuple[str, Any]]:
  import tensorflow_datasets as tfds

  is_dict = isinstance(feature, tfds.features.FeaturesDict)
  return list(feature.items()) if is_dict else []


def _is_text(feature: Any) -> bool:
  import tensorflow_datasets as tfds

  return isinstance(feature, tfds.features.Tensor) and (
    feature.shape == () and feature.np_dtype in (np.object_, np.str_)
  )


def _records(
  images: tfds_source.TfdsExamples, dataset: str
) -> Iterator[Mapping[str, Any]]:
  starts = range(0, len(images), _CHUNK)
  for start in progress.track(
    starts, total=len(starts), what=f'captions of {dataset}', unit='chunk'
  ):
    yield from images.records(
      np.arange(start, min(start + _CHUNK, len(images)))
    )


def _texts(record: Mapping[str, Any], keys: tuple[str, ...]) -> list[str]:
  """The captions of a record but for empty ones."""
  value: Any = record
  for key in keys:
    value = value[key]
  values = np.asarray(value, np.object_).reshape(-1)
  texts = (t.decode('utf-8') if isinstance(t, bytes) else t for t in values)
  return [text.strip() for text in texts if text.strip()]

"""TensorFlow Datasets that are prepared, as array_record or TFRecord.

They are read without TensorFlow, and an example has the same id in both: TFDS
writes either in the order of the hashes of its keys. Nothing is ever downloaded
or prepared here: both need TensorFlow, and without a network a download hangs
in retries.
"""

import functools
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from overlap.core import errors, files, lookup
from overlap.data import images as images_lib
from overlap.data import source, tfds_labels, tfrecord
from overlap.data.encoded import EncodedExamples
from overlap.data.examples import Examples


class TfdsExamples(EncodedExamples):
  """A split of a prepared data set with images and one label each, or several.

  The features are 'image' and either 'label' or 'labels': see `tfds_labels`.
  Ids are '{split}/{index:08d}', the index counting in the prepared order.
  """

  def __init__(
    self,
    *,
    dataset: str,
    builder: Any,
    split: str,
    image_size: int = 0,
    channels: int = 0,
    labels: tfds_labels.Labels | None = None,
  ):
    """Opens a split of `builder`, which reads from files.

    Args:
      dataset: name in the store.
      builder: builder of TFDS.
      split: TFDS's name of it.
      image_size: 0 for the images' own, which then must all be alike.
      channels: 0 for those of TFDS's feature.
      labels: how images are labelled; None for what the features say.

    Raises:
      DataError: another file format, no image or labels, or a faulty file.
      UsageError: no such split.
    """
    import tensorflow_datasets as tfds

    lookup.check_choice('split', split, builder.info.splits)
    features, self._kind = _checked(dataset, builder.info.features, labels)
    self.multi_label = self._kind.multi_label
    # Bytes come out, and are decoded as those of every other source.
    self._records = _open(
      dataset, builder, split, {'image': tfds.decode.SkipDecoding()}
    )
    count = len(self._records)
    if not count:
      raise errors.DataError(f'{dataset}: split {split!r} holds no example.')
    self._what = f'{dataset}, split {split!r}'
    super().__init__(
      dataset=dataset, split=split,
      ids=[f'{split}/{i:08d}' for i in range(count)],
      class_names=self._kind.class_names,
      channels=channels or features['image'].shape[-1],
      image_size=image_size or self._native_size(features['image'].shape),
    )  # fmt: skip
    self.native = not image_size

  def open(
    self, indices: np.ndarray
  ) -> tuple[Callable[[int], bytes], np.ndarray]:
    records = self.records(indices)
    return lambda row: records[row]['image'], self._label_array(records)

  def read_labels(self, indices: np.ndarray) -> np.ndarray:
    return self._label_array(self.records(indices))

  def read_targets(self, indices: np.ndarray) -> np.ndarray:
    return np.stack([self._kind.targets(r) for r in self.records(indices)])

  def _label_array(self, records: list[dict[str, Any]]) -> np.ndarray:
    try:
      labels = [self._kind.label(record) for record in records]
    except ValueError as e:
      raise errors.DataError(
        f'{self._what}: every image must show a class, got {e}.'
      ) from e
    return np.array(labels, np.int64)

  def records(self, indices: np.ndarray) -> list[dict[str, Any]]:
    """Returns what the files have of the examples at indices [B].

    Raises:
      DataError: a file can't be read.
    """
    try:
      records = list(self._records.__getitems__(indices.tolist()))
      # A truncated file gives records without a value.
      fields = ('image', *self._kind.fields)
      if any(record[field] is None for record in records for field in fields):
        raise ValueError('an empty record')
      return records
    except errors.DataError:
      raise
    # array_record raises what its C++ side gives: no one class covers it.
    except Exception as e:
      raise errors.DataError(
        f'{self._what}: the prepared files must be readable, got: {e}; delete '
        'and prepare them anew.'
      ) from e

  def _native_size(self, shape: tuple[int | None, ...]) -> int:
    height, width, _ = shape
    if height and height == width:
      return height
    content = self.records(np.zeros(1, np.int64))[0]['image']
    return images_lib.square_size(content, f'the first of {self._what}')


def _open(dataset: str, builder: Any, split: str, decoders: Any) -> Any:
  try:
    return builder.as_data_source(split, decoders=decoders)
  except NotImplementedError as e:
    info = builder.info
    if info.file_format.value != 'tfrecord':
      raise errors.DataError(
        f'{dataset} must be prepared as array_record or TFRecord, got '
        f'{info.file_format.value} in {builder.data_dir}.'
      ) from e
    shards = info.splits[split].file_instructions
    return tfrecord.TfRecords(
      [os.fspath(shard.filename) for shard in shards],
      [shard.examples_in_shard for shard in shards],
      functools.partial(
        info.features.deserialize_example_np, decoders=decoders
      ),
    )


def _checked(
  dataset: str, features: Any, labels: tfds_labels.Labels | None
) -> tuple[Any, tfds_labels.Labels]:
  """The features, and how images are labelled, where both can be used."""
  import tensorflow_datasets as tfds

  is_dict = isinstance(features, tfds.features.FeaturesDict)
  fields = dict(features.items()) if is_dict else {}
  image, kind = fields.get('image'), labels or tfds_labels.kind(fields)
  if (
    not isinstance(image, tfds.features.Image)
    or kind is None
    or image.np_dtype != np.uint8
    or image.shape[-1] not in (1, 3)
  ):
    needed = "'label' (a class) or 'labels' (several)"
    raise errors.DataError(
      f"{dataset} must have the features 'image' (uint8, 1 or 3 channels) and "
      f'{"a text" if labels else needed}, got {fields or features}.'
    )
  return features, kind


def find_builder(dataset: str, data_dir: str) -> Any:
  """Finds a prepared data set in `data_dir`, else in TFDS's own folder.

  Args:
    dataset: 'tfds:NAME[/CONFIG][:VERSION]'.
    data_dir: folder that TFDS laid out: NAME[/CONFIG]/VERSION/.

  Raises:
    DataError: it is in neither.
    UsageError: no name, or a folder of a scheme that can't be read.
  """
  import tensorflow_datasets as tfds

  name = dataset.partition(':')[2]
  if not name:
    raise errors.UsageError(
      f"TFDS's data sets are named 'tfds:NAME[/CONFIG]', got {dataset!r}."
    )
  data_dir = files.local_path(data_dir)
  files.check_scheme('The folder of the data', data_dir)
  folders = [data_dir, os.path.expanduser(str(tfds.core.constants.DATA_DIR))]
  for folder in folders:
    try:
      return tfds.core.read_only_builder.builder_from_files(
        name, data_dir=folder
      )
    except tfds.core.registered.DatasetNotFoundError:
      continue
    # The clients of cloud storage raise what they like.
    except Exception as e:
      if not isinstance(e, (ValueError, OSError)) and '://' not in folder:
        raise
      raise errors.DataError(
        f'{dataset} must be readable in {folder}, got: {e}'
      ) from e
  raise errors.DataError(
    f'{dataset} must be prepared in {" or ".join(folders)}, and is not; '
    f'prepare it where TensorFlow is installed: `tfds build {name} '
    f'--file_format=array_record --data_dir={data_dir}`.'
  )


def _obtain(*, dataset: str, data_dir: str) -> None:
  find_builder(dataset, data_dir)


def _load(
  *, dataset: str, split: str, data_dir: str, image_size: int, channels: int
) -> Examples:
  return TfdsExamples(
    dataset=dataset, builder=find_builder(dataset, data_dir), split=split,
    image_size=image_size, channels=channels,
  )  # fmt: skip


SOURCE = source.Source(_obtain, _load)

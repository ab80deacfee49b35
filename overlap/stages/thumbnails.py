"""Thumbnails of the examples that models disagree on, for the report.

The report reads tables only; this stage, which has the data, passes it the
images in a file.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging
from etils import epath

from overlap.core import checksums, errors
from overlap.data import images as images_lib
from overlap.data.examples import Examples
from overlap.data.preparation import Preparation
from overlap.distributed import processes
from overlap.study.study import Study
from overlap.tables import table_io

_QUALITY = 85  # JPEG quality of colour images; grey images are PNG.


def check_thumbnails(study: Mapping[str, Any]) -> None:
  """Raises UsageError for thumbnails that can't be made."""
  size = study['report']['thumbnails']
  if size < 0:
    raise errors.UsageError(
      'config.report.thumbnails must be a number of pixels, or 0 for no '
      f'pictures, got {size}.'
    )
  if size and 'contested' not in study['analyses']['tables']:
    raise errors.UsageError(
      'config.report.thumbnails shows examples of the table contested, which '
      'config.analyses.tables must have, got '
      f'{", ".join(study["analyses"]["tables"])}.'
    )


def write_thumbnails(study: Study) -> None:
  """Writes `report/thumbnails.json`; removes it if none are requested.

  It contains `dataset`, `split`, `size` and `images`, a dictionary from ids to
  data URLs for the examples of the table 'contested'. No image is read if the
  file is up to date.

  Raises:
    DataError: the table is missing, or has an example that is not in the data.
  """
  size = study.config['report']['thumbnails']
  file = study.path / 'report' / 'thumbnails.json'
  if not size:
    if processes.is_primary():
      file.unlink(missing_ok=True)
    return
  split = study.config['analyses']['split']
  ids = table_io.read_table(study.path, 'contested')['id'].tolist()
  head = {'dataset': study.dataset, 'split': split, 'size': size}
  if _holds(file, head, ids):
    return
  examples = study.examples(split)
  assert examples is not None  # The split has been predicted.
  if processes.is_primary():
    found = pictures(examples, ids, size)
    checksums.write_json(file, head | {'images': found})
    logging.info('thumbnails: %d in %s', len(found), file)


def pictures(
  examples: Examples, ids: Sequence[str], size: int
) -> dict[str, str]:
  """Returns examples as data URLs by id.

  Args:
    examples: examples of the split.
    ids: ids of some of them.
    size: side in pixels; smaller images keep their size.

  Raises:
    DataError: an id is not in the split.
  """
  place = {str(name): i for i, name in enumerate(examples.ids)}
  for name in ids:
    if name not in place:
      raise errors.DataError(
        f'{examples.dataset}/{examples.split} must hold the example {name!r} '
        'that the table contested names, and does not: run the stage analyse.'
      )
  rule = Preparation(size=min(size, examples.image_size), crop=1.0)
  rows = np.array([place[name] for name in ids], np.int64)
  pixels, _ = examples.read_prepared(rows, rule)
  return {name: _url(image) for name, image in zip(ids, pixels)}


def _holds(
  file: epath.Path, head: Mapping[str, Any], ids: Sequence[str]
) -> bool:
  if not file.exists():
    return False
  try:
    held = checksums.read_json(file, 'delete it')
  except errors.DataError:
    return False
  return held.pop('images', {}).keys() == set(ids) and held == head


def _url(pixels: np.ndarray) -> str:
  buffer = io.BytesIO()
  grey = pixels.shape[-1] == 1
  kind = 'png' if grey else 'jpeg'
  options: dict[str, Any] = {'optimize': True}
  if not grey:
    options['quality'] = _QUALITY
  images_lib.from_array(pixels).save(buffer, kind, **options)
  text = base64.b64encode(buffer.getvalue()).decode()
  return f'data:image/{kind};base64,{text}'

"""model.json: facts about a trained model, beside its variables."""

from collections.abc import Mapping
from typing import Any

from etils import epath

from overlap.core import checksums, errors, files

FILE = 'model.json'


def write_model_file(folder: epath.Path, values: Mapping[str, Any]) -> None:
  """Writes the model.json of a model's folder, which marks it as trained."""
  checksums.write_json(folder / FILE, values)


def read_model_file(folder: epath.Path) -> dict[str, Any] | None:
  """Returns the model.json of a trained model, or None if absent.

  Raises:
    DataError: the file is damaged.
  """
  file = folder / FILE
  if not file.exists():
    return None
  values = checksums.read_json(file, again(folder))
  if 'training_hash' not in values:
    raise errors.DataError(
      f'{file} must hold a training_hash, got none: {again(folder)}.'
    )
  return values


def again(folder: epath.Path) -> str:
  """Returns advice on a damaged model folder, as the end of a sentence."""
  name = files.decode_name(folder.name)
  return f'delete {folder} and train model {name!r} again'

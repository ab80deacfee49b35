"""Preparation of the images of a study's models: the fields of `input`."""

from collections.abc import Mapping
from typing import Any

from overlap import data
from overlap.core import errors
from overlap.data import preparation
from overlap.data.examples import Examples
from overlap.data.preparation import Preparation

Settings = Mapping[str, Any]


def check_model_images(
  name: str, settings: Settings, teacher: Settings | None
) -> None:
  """Checks how a model's images are prepared.

  Args:
    name: name of the model.
    settings: config of the model.
    teacher: config of its teacher; None for none.

  Raises:
    UsageError: a value is invalid, has no effect, or differs from the
      teacher's, which sees the same images as its student.
  """
  given, at = settings['input'], f'config.models.{name}.input'
  if given.get('resize'):
    preparation.check_preparation(_preparation(given), f'(in {at})')
  else:
    for field, default in Preparation._field_defaults.items():
      if field != 'resize' and given.get(field, default) != default:
        raise errors.UsageError(
          f'{at}.{field} acts only where input.resize is one of '
          f"{', '.join(preparation.RESIZES)}, got {given[field]!r} and ''."
        )
  for field in preparation.FIELDS if teacher else ():
    got, wanted = given.get(field), teacher and teacher['input'].get(field)
    if got != wanted:
      raise errors.UsageError(
        f"{at}.{field} must be its teacher's, {wanted!r}, who is shown the "
        f'same images, got {got!r}.'
      )


def prepared(settings: Settings, examples: Examples) -> Examples:
  """Returns the examples with images prepared as the settings say."""
  given = settings['input']
  if not given.get('resize'):
    return examples
  size = given['size'] or examples.image_size
  return data.prepare_examples(examples, _preparation(given, size))


def _preparation(given: Settings, size: int = 0) -> Preparation:
  return Preparation(size, *(given[field] for field in preparation.FIELDS))

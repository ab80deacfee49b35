"""Names of classes and sentences about them, for classifying by text.

`imagenet.csv` has a name for each class of ImageNet, by its WordNet id, and
`templates.csv` lists of sentences: 'openai_80' is what CLIP's authors report
with, 'openai_7' the seven of them that they found best together, and 'photo'
their simplest. Names and sentences are from the notebook
Prompt_Engineering_for_ImageNet of github.com/openai/CLIP (2021), which edits
Anish Athalye's imagenet-simple-labels; its licence (MIT, OpenAI) stands in
`LICENSE` beside this file. Two pairs of classes have
the same name, 'missile' and 'sunglasses'.
"""

import csv
import functools
import importlib.resources
import string
from collections.abc import Sequence

from etils import epath

from overlap.core import errors, lookup

_LONGEST = 100  # of what error texts repeat


@functools.lru_cache(maxsize=1)
def imagenet_names() -> dict[str, str]:
  """From the id of each class of ImageNet ('n01440764') to 'tench'."""
  return {row['wnid']: row['name'] for row in _rows('imagenet.csv')}


@functools.lru_cache(maxsize=1)
def templates() -> dict[str, tuple[str, ...]]:
  """Lists of sentences with '{}' for a class, by the lists' names."""
  found: dict[str, tuple[str, ...]] = {}
  for row in _rows('templates.csv'):
    found[row['name']] = (*found.get(row['name'], ()), row['template'])
  return found


def sentences(given: Sequence[str]) -> tuple[str, ...]:
  """Templates, gathered.

  Args:
    given: sentences with one '{}' each, names of lists, or files of one
      sentence a line.

  Raises:
    UsageError: there is no such list or file, a sentence has not one '{}', or
      there are none.
  """
  found: list[str] = []
  for item in given:
    if item in templates():
      found += templates()[item]
    elif '{' in item or '}' in item:
      found.append(item)
    elif epath.Path(item).expanduser().is_file():
      found += _lines(item)
    else:
      lookup.check_choice('list or file of templates', item, templates())
  for sentence in found:
    if _fields(sentence) != ['']:
      raise errors.UsageError(
        "A template must have '{}' once, where the class goes, got "
        f'{sentence[:_LONGEST]!r}.'
      )
  if not found:
    raise errors.UsageError(
      f'There must be at least one template, got {tuple(given)!r}.'
    )
  return tuple(found)


def class_names(
  classes: Sequence[str], given: Sequence[str] = ()
) -> tuple[str, ...]:
  """Returns the names that prompts use for the classes of a data set.

  Args:
    classes: the data set's names, in the order of its labels.
    given: names in the same order, or a single file of one name a line; none
      for the data set's own, with ImageNet's ids replaced by names and
      underscores by spaces.

  Raises:
    UsageError: the file can't be read, or there is not one name a class.
  """
  if not given:
    known = imagenet_names()
    return tuple(known.get(c, c.replace('_', ' ')) for c in classes)
  names, what = list(given), 'Names of classes'
  if len(given) == 1 != len(classes):
    what = given[0]
    names = _lines(what)
  if len(names) != len(classes):
    raise errors.UsageError(
      f'{what} must be one for each of the {len(classes)} classes of the data '
      f'set, got {len(names)}.'
    )
  return tuple(names)


def _fields(sentence: str) -> list[str] | None:
  """The names within braces, None where braces are out of order."""
  try:
    return [
      name
      for _, name, spec, conversion in string.Formatter().parse(sentence)
      if name is not None and not spec and not conversion
    ]
  except ValueError:
    return None


def _lines(path: str) -> list[str]:
  """The lines of a text file that are not empty."""
  try:
    text = epath.Path(path).expanduser().read_text(encoding='utf-8')
  except (OSError, UnicodeDecodeError) as e:
    raise errors.UsageError(
      f'{path} must be a readable text file, got: {e}.'
    ) from e
  return [line.strip() for line in text.splitlines() if line.strip()]


def _rows(name: str) -> list[dict[str, str]]:
  file = importlib.resources.files(__name__).joinpath(name)
  with file.open(encoding='utf-8') as f:
    return list(csv.DictReader(f))

"""Images with texts: captions made of class names, or read from a file."""

import csv
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from overlap import errors, lookup
from overlap.data.encoded import EncodedExamples
from overlap.data.examples import Examples

# From texts to arrays [texts, ...] by name, of the same shape for any texts.
Encode = Callable[[Sequence[str]], dict[str, np.ndarray]]
_SEPARATORS = {'.csv': ',', '.tsv': '\t'}
_COLUMNS = ('path', 'caption')


class Captioned(Examples):
  """Examples whose batches have texts too, encoded."""

  def __init__(
    self,
    parent: Examples,
    captions: Callable[[np.ndarray], Sequence[str]],
    encode: Encode,
  ):
    """Takes the examples and their texts.

    Args:
      parent: the examples.
      captions: from indices [B] to B texts.
      encode: see `Encode`.
    """
    super().__init__(
      dataset=parent.dataset, split=parent.split, ids=parent.ids,
      class_names=parent.class_names, channels=parent.channels,
      image_size=parent.image_size,
    )  # fmt: skip
    self._parent = parent
    self._captions = captions
    self._encode = encode

  def read(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return self._parent.read(indices)

  def fetch(self, indices: np.ndarray | Sequence[int]) -> dict[str, np.ndarray]:
    """What `Examples.fetch` gives, and the encoded texts."""
    batch = super().fetch(indices)
    return batch | self._encode(self._captions(np.asarray(indices, np.int64)))


def from_classes(
  examples: Examples,
  *,
  class_names: Sequence[str],
  templates: Sequence[str],
  attributes: Mapping[str, Sequence[str]],
  seed: int,
) -> Callable[[np.ndarray], list[str]]:
  """Captions that name an example's class in one of some sentences.

  An example has one caption, whenever it comes: a hash of the seed and of its
  id chooses the sentence, and which attribute of its class follows the name,
  if any.

  Args:
    examples: the examples.
    class_names: what texts call the classes.
    templates: sentences with '{}' where a name goes.
    attributes: phrases, each with the classes (as the examples name them) that
      it is true of.
    seed: of the choice.

  Returns:
    A function from indices [B] to B texts.

  Raises:
    UsageError: an attribute of a class that there is not.
  """
  labels = examples.labels()
  named = [
    (name, *(f'{name}, {phrase}' for phrase in phrases))
    for name, phrases in zip(
      class_names, _phrases(examples.class_names, attributes), strict=True
    )
  ]

  def caption(index: int) -> str:
    text = f'{seed}/{examples.ids[index]}'.encode()
    digest = hashlib.blake2b(text, digest_size=8).digest()
    rest, template = divmod(int.from_bytes(digest, 'big'), len(templates))
    choices = named[labels[index]]
    return templates[template].replace('{}', choices[rest % len(choices)])

  return lambda indices: [caption(i) for i in indices.tolist()]


class Pairs(EncodedExamples):
  """Pairs of an image file and a caption, listed in a table.

  They have no classes: all labels are 0. An id is the file's path as the table
  has it, with '#2' and so on for its further captions.

  Attributes:
    captions: a text an example.
  """

  def __init__(self, path: str, *, image_size: int, channels: int):
    """Reads the table; images are read when they are asked for.

    Args:
      path: of a CSV or TSV file with the columns 'path', from the table's
        folder, and 'caption'.
      image_size: S.
      channels: 1 or 3.

    Raises:
      UsageError: a file of another kind.
      DataError: it can't be read, or is empty.
    """
    path = os.path.expanduser(path)
    self._folder = os.path.dirname(path)
    self._files, self.captions = _read(path)
    super().__init__(
      dataset=os.path.splitext(os.path.basename(path))[0], split='train',
      ids=_ids(self._files), class_names=('image',), channels=channels,
      image_size=image_size,
    )  # fmt: skip

  def open(
    self, indices: np.ndarray
  ) -> tuple[Callable[[int], bytes], np.ndarray]:
    def content(row: int) -> bytes:
      return _content(os.path.join(self._folder, self.name(indices[row])))

    return content, self.read_labels(indices)

  def name(self, index: int) -> str:
    return self._files[index]

  def read_labels(self, indices: np.ndarray) -> np.ndarray:
    return np.zeros(len(indices), np.int64)

  def texts(self, indices: np.ndarray) -> list[str]:
    """The captions at indices [B]."""
    return [self.captions[i] for i in indices.tolist()]


def _phrases(
  classes: Sequence[str], attributes: Mapping[str, Sequence[str]]
) -> list[list[str]]:
  """Those of each class, in the order of the classes."""
  for phrase, described in attributes.items():
    for one in described:
      lookup.check(f'class (of the attribute {phrase!r})', one, classes)
  return [
    [phrase for phrase, described in attributes.items() if one in described]
    for one in classes
  ]


def _read(path: str) -> tuple[list[str], list[str]]:
  separator = _SEPARATORS.get(os.path.splitext(path)[1].lower())
  if separator is None:
    raise errors.UsageError(
      f'Pairs must be listed in a file of {" or ".join(_SEPARATORS)}, got '
      f'{path!r}.'
    )
  try:
    with open(path, encoding='utf-8', newline='') as f:
      rows = list(csv.DictReader(f, delimiter=separator))
  except (OSError, UnicodeDecodeError, csv.Error) as e:
    raise errors.DataError(f'{path} must be readable, got: {e}.') from e
  if not rows or any(
    row.get(name) is None for row in rows for name in _COLUMNS
  ):
    raise errors.DataError(
      f'{path} must have rows with the columns {" and ".join(_COLUMNS)}, got '
      f'{"no rows" if not rows else ", ".join(map(str, rows[0]))}.'
    )
  return [row['path'] for row in rows], [row['caption'] for row in rows]


def _ids(files: list[str]) -> list[str]:
  seen: dict[str, int] = {}
  ids = []
  for name in files:
    seen[name] = count = seen.get(name, 0) + 1
    ids.append(name if count == 1 else f'{name}#{count}')
  return ids


def _content(path: str) -> bytes:
  try:
    with open(path, 'rb') as f:
      return f.read()
  except OSError as e:
    raise errors.DataError(
      f'{path} must be readable, got: {e.strerror or e}.'
    ) from e

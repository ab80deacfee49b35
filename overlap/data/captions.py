"""Images with texts, and captions made of class names."""

import hashlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from overlap.core import lookup
from overlap.data.examples import Examples

# From texts to arrays [texts, ...] by name, of the same shape for any texts.
Encode = Callable[[Sequence[str]], dict[str, np.ndarray]]


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
    """Returns the result of `Examples.fetch`, and the encoded texts."""
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
    seed: seed of the choice.

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


def _phrases(
  classes: Sequence[str], attributes: Mapping[str, Sequence[str]]
) -> list[list[str]]:
  """Those of each class, in the order of the classes."""
  for phrase, described in attributes.items():
    for one in described:
      lookup.check_choice(f'class (of the attribute {phrase!r})', one, classes)
  return [
    [phrase for phrase, described in attributes.items() if one in described]
    for one in classes
  ]

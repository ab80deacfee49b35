"""Images with texts, and captions made of class names."""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

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
    """What `Examples.fetch` gives, and the encoded texts."""
    batch = super().fetch(indices)
    return batch | self._encode(self._captions(np.asarray(indices, np.int64)))


def from_classes(
  examples: Examples,
  *,
  class_names: Sequence[str],
  templates: Sequence[str],
  seed: int,
) -> Callable[[np.ndarray], list[str]]:
  """Captions that name an example's class in one of some sentences.

  An example has one caption, whenever it comes: a hash of the seed and of its
  id chooses the sentence.

  Args:
    examples: the examples.
    class_names: what texts call the classes.
    templates: sentences with '{}' where a name goes.
    seed: of the choice.

  Returns:
    A function from indices [B] to B texts.
  """
  labels = examples.labels()

  def caption(index: int) -> str:
    text = f'{seed}/{examples.ids[index]}'.encode()
    digest = hashlib.blake2b(text, digest_size=8).digest()
    template = templates[int.from_bytes(digest, 'big') % len(templates)]
    return template.replace('{}', class_names[labels[index]])

  return lambda indices: [caption(i) for i in indices.tolist()]

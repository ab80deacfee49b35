"""Counts over examples for all pairs of models, with packed bits.

The correctness of each model is packed into words of 64 examples, so that the
joint table of two models takes one AND and one popcount per word. Classes are
compared by bit planes: the i-th plane holds the i-th bit of every class, and
two classes are equal if no plane differs.
"""

import numpy as np

from overlap.core.jit import jit_cpu

# Words of a strip: all planes of two strips fit the first-level cache.
_STRIP = 128


def packed(flags: np.ndarray) -> np.ndarray:
  """Packs bits `[rows, examples]` as uint64 `[rows, words]`, padded with 0.

  Example e is bit e % 64 of word e // 64, from the least significant bit.
  """
  eights = np.packbits(np.asarray(flags, bool), axis=1, bitorder='little')
  whole = np.pad(eights, ((0, 0), (0, -eights.shape[1] % 8)))
  words = np.ascontiguousarray(whole).view('<u8')
  return words.astype(np.uint64, copy=False)


def planes(classes: np.ndarray) -> np.ndarray:
  """Returns bit planes of classes, uint64 `[rows, planes, words]`.

  Args:
    classes: non-negative integers, `[rows, examples]`.
  """
  classes = np.ascontiguousarray(classes)
  number = max(1, int(np.max(classes, initial=0)).bit_length())
  rows, examples = classes.shape
  result = np.zeros((rows, number, -(-examples // 64)), np.uint64)
  _fill_planes(classes, result)
  return result


def joint(words: np.ndarray) -> np.ndarray:
  """Counts the common bits of all pairs of rows.

  Args:
    words: bits, uint64 `[rows, words]`.

  Returns:
    Counts, int64 `[rows, rows]`, symmetric.
  """
  result = np.zeros((len(words), len(words)), np.int64)
  _joint(np.ascontiguousarray(words), result)
  return result


def joint_alike(words: np.ndarray, classes: np.ndarray) -> np.ndarray:
  """Counts common bits of the examples on which both rows have the same class.

  Args:
    words: bits, uint64 `[rows, words]`.
    classes: bit planes, uint64 `[rows, planes, words]`, from `planes`.

  Returns:
    Counts, int64 `[rows, rows]`, symmetric.
  """
  result = np.zeros((len(words), len(words)), np.int64)
  _joint_alike(
    np.ascontiguousarray(words), np.ascontiguousarray(classes), result
  )
  return result


@jit_cpu
def _ones(word):
  """Number of one bits; compilers turn this code into one instruction."""
  word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
  word = (word & np.uint64(0x3333333333333333)) + (
    (word >> np.uint64(2)) & np.uint64(0x3333333333333333)
  )
  word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
  return (word * np.uint64(0x0101010101010101)) >> np.uint64(56)


@jit_cpu
def _joint(words, result):
  rows, number = words.shape
  for i in range(rows):
    for j in range(i + 1):
      total = np.uint64(0)
      for k in range(number):
        total += _ones(words[i, k] & words[j, k])
      result[i, j] = total
      result[j, i] = total


@jit_cpu
def _fill_planes(classes, result):
  one = np.uint64(1)
  rows, number, words = result.shape
  for i in range(rows):
    for k in range(words):
      for place in range(min(64, classes.shape[1] - 64 * k)):
        value = np.uint64(classes[i, 64 * k + place])
        for plane in range(number):
          bit = (value >> np.uint64(plane)) & one
          result[i, plane, k] |= bit << np.uint64(place)


@jit_cpu
def _joint_alike(words, classes, result):
  rows, number = words.shape
  buffer = np.empty(_STRIP, np.uint64)
  for start in range(0, number, _STRIP):
    stop = min(start + _STRIP, number)
    differs = buffer[: stop - start]
    for i in range(rows):
      for j in range(i + 1):
        differs[:] = 0
        for plane in range(classes.shape[1]):
          _add_differences(
            classes[i, plane, start:stop],
            classes[j, plane, start:stop],
            differs,
          )
        total = _count_alike(
          words[i, start:stop], words[j, start:stop], differs
        )
        result[i, j] += total
        if i != j:
          result[j, i] += total


# Separate loops, because they are not vectorised within the others.
@jit_cpu
def _add_differences(one, two, differs):
  for k in range(differs.size):
    differs[k] |= one[k] ^ two[k]


@jit_cpu
def _count_alike(one, two, differs):
  total = np.uint64(0)
  for k in range(differs.size):
    total += _ones(one[k] & two[k] & ~differs[k])
  return np.int64(total)

"""Counts on packed bits against plain NumPy, of sizes that fill no word."""

import numpy as np
import pytest

from overlap.analyses import bits

EXAMPLES = [0, 1, 63, 64, 65, 130, 64 * 128, 64 * 128 + 1, 20_000]


@pytest.mark.parametrize('examples', EXAMPLES)
@pytest.mark.parametrize('rows', [1, 2, 5])
def test_joint_equals_a_product(rows, examples):
  flags = np.random.default_rng(examples).random((rows, examples)) < 0.6
  got = bits.joint(bits.packed(flags))
  expected = flags.astype(np.int64) @ flags.astype(np.int64).T
  np.testing.assert_array_equal(got, expected)
  assert got.dtype == np.int64


@pytest.mark.parametrize('examples', EXAMPLES)
@pytest.mark.parametrize('classes', [1, 2, 3, 10, 1000])
def test_joint_alike_equals_comparisons(classes, examples):
  rng = np.random.default_rng(examples + classes)
  flags = rng.random((4, examples)) < 0.7
  # Two rows that are often the same, two that rarely are.
  chosen = rng.integers(0, classes, (4, examples)).astype(np.int32)
  chosen[1] = np.where(rng.random(examples) < 0.8, chosen[0], chosen[1])
  got = bits.joint_alike(bits.packed(flags), bits.planes(chosen))
  for i in range(4):
    for j in range(4):
      same = flags[i] & flags[j] & (chosen[i] == chosen[j])
      assert got[i, j] == same.sum()


def test_the_lowest_bit_is_the_first_example():
  words = bits.packed(np.eye(70, dtype=bool))
  assert words.shape == (70, 2)
  assert words[5, 0] == 2**5
  assert words[69, 1] == 2**5
  assert words[69, 0] == 0


def test_planes_are_the_bits_of_the_classes():
  classes = np.array([[0, 5, 2], [7, 1, 0]])
  got = bits.planes(classes)
  assert got.shape == (2, 3, 1)
  for plane in range(3):
    flags = (classes >> plane) & 1 == 1
    np.testing.assert_array_equal(got[:, plane], bits.packed(flags))


def test_no_rows():
  assert bits.joint(bits.packed(np.zeros((0, 9), bool))).shape == (0, 0)

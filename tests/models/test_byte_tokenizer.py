"""Bytes as tokens."""

import numpy as np
import pytest

from overlap.core import errors
from overlap.models.byte_tokenizer import END, START, VOCAB_SIZE, ByteTokenizer


def test_a_text_is_its_bytes_between_start_and_end():
  ids, mask = ByteTokenizer(40)(['a cät', ''])
  expected = [START, *'a cät'.encode(), END]
  assert len(expected) == 8
  np.testing.assert_array_equal(ids[0, :8], expected)
  np.testing.assert_array_equal(mask.sum(axis=1), [8, 2])
  np.testing.assert_array_equal(ids[1, :2], [START, END])
  assert not ids[~mask].any()
  assert ids.max() < VOCAB_SIZE
  assert ids.shape == (2, 16)


def test_a_long_text_is_refused_or_cut_before_its_end():
  tokenizer = ByteTokenizer(4)
  with pytest.raises(errors.UsageError, match=r"4 tokens, got 7 of 'abcde'"):
    tokenizer(['abcde'])
  ids, mask = tokenizer(['abcde', 'ab'], cut=True)
  np.testing.assert_array_equal(ids, [[START, *b'ab', END]] * 2)
  assert mask.all()

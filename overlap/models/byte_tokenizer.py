"""Tokenizer of UTF-8 bytes, which needs no files.

As in Xue et al., 'ByT5: Towards a Token-Free Future with Pre-trained
Byte-to-Byte Models' (TACL 2022). It is for text towers trained in a study.
"""

from collections.abc import Sequence

from overlap.core import errors
from overlap.models import tokenizers
from overlap.models.tokenizers import Tokens

START = 256
END = 257
VOCAB_SIZE = 258


class ByteTokenizer:
  """Tokenizer with one token per byte, start and end tokens, zero padding.

  Attributes:
    context_length: maximal number of tokens of a text.
    vocab_size: number of tokens in the vocabulary.
    end_token: last token of every text.
  """

  vocab_size = VOCAB_SIZE
  end_token = END

  def __init__(self, context_length: int):
    self.context_length = context_length

  def __call__(self, texts: Sequence[str], *, cut: bool = False) -> Tokens:
    """Tokenizes texts.

    Args:
      texts: texts of any length.
      cut: whether to cut texts that are too long instead of raising an error.

    Raises:
      UsageError: a text has more tokens than the text tower takes.
    """
    rows = [[START, *text.encode('utf-8'), END] for text in texts]
    return tokenizers.to_tokens(
      rows, texts, context_length=self.context_length, padding=0, cut=cut
    )


def check_context_length(context_length: int, at: str) -> None:
  """Raises UsageError if the context is too short for any text."""
  if context_length < 3:
    raise errors.UsageError(f'{at} must be at least 3, got {context_length}.')

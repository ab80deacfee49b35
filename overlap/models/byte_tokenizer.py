"""Texts as the bytes of UTF-8: a tokenizer that needs no files.

As of Xue et al., 'ByT5: Towards a Token-Free Future with Pre-trained
Byte-to-Byte Models' (TACL 2022). It is for text towers that are trained here.
"""

from collections.abc import Sequence

from overlap import errors
from overlap.models import tokenizers
from overlap.models.tokenizers import Tokens

START = 256
END = 257
VOCAB_SIZE = 258


class ByteTokenizer:
  """Texts to one token a byte between a start and an end, padded with zeros.

  Attributes:
    context_length: the most tokens of a text.
    vocab_size: number of different tokens.
    end_token: which ends every text.
  """

  vocab_size = VOCAB_SIZE
  end_token = END

  def __init__(self, context_length: int):
    self.context_length = context_length

  def __call__(self, texts: Sequence[str], *, cut: bool = False) -> Tokens:
    """Tokenizes texts.

    Args:
      texts: texts of any length.
      cut: drop the end of texts that are too long, rather than refuse them.

    Raises:
      UsageError: a text has more tokens than the text tower takes.
    """
    rows = [[START, *text.encode('utf-8'), END] for text in texts]
    return tokenizers.to_tokens(
      rows, texts, context_length=self.context_length, padding=0, cut=cut
    )


def check_context_length(context_length: int, at: str) -> None:
  """Raises UsageError where no text has room."""
  if context_length < 3:
    raise errors.UsageError(f'{at} must be at least 3, got {context_length}.')

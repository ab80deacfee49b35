"""Texts as tokens, by the tokenizers of transformers, from local files."""

import contextlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from etils import epath

from overlap import errors, lookup

_LONGEST = 60  # of what error texts repeat
_STEP = 16  # Lengths are multiples of it.


class Kind(NamedTuple):
  """A tokenizer.

  Attributes:
    name: name of the class in transformers.
    files: sets of files, each of which is enough.
  """

  name: str
  files: tuple[tuple[str, ...], ...]


KINDS = {
  'clip': Kind(
    'CLIPTokenizerFast', (('tokenizer.json',), ('vocab.json', 'merges.txt'))
  ),
  'align': Kind('BertTokenizerFast', (('tokenizer.json',), ('vocab.txt',))),
}


class Tokens(NamedTuple):
  """Texts of one length.

  Attributes:
    ids: int32 [texts, tokens].
    mask: bool [texts, tokens], false for padding.
  """

  ids: np.ndarray
  mask: np.ndarray


class Tokenizer:
  """Texts to tokens, padded to at least the longest of them.

  Attributes:
    context_length: the most tokens of a text.
  """

  def __init__(self, tokenizer: Any, context_length: int):
    self._tokenizer = tokenizer
    self.context_length = context_length

  def __call__(self, texts: Sequence[str], *, cut: bool = False) -> Tokens:
    """Tokenizes texts.

    Args:
      texts: texts of any length.
      cut: drop tokens before the last one of texts that are too long, rather
        than refuse them.

    Raises:
      UsageError: a text has more tokens than the text tower takes.
    """
    rows = self._tokenizer(list(texts), verbose=False)['input_ids']
    return to_tokens(
      rows,
      texts,
      context_length=self.context_length,
      padding=self._padding(),
      cut=cut,
    )

  @property
  def vocab_size(self) -> int:
    """Number of different tokens, the padding among them."""
    return max(len(self._tokenizer), self._padding() + 1)

  @property
  def end_token(self) -> int:
    """The token that every text ends with."""
    return int(self._tokenizer('', verbose=False)['input_ids'][-1])

  def _padding(self) -> int:
    """A token that no one reads, be it none of the tokenizer's."""
    return self._tokenizer.pad_token_id or 0


def to_tokens(
  rows: Sequence[Sequence[int]],
  texts: Sequence[str],
  *,
  context_length: int,
  padding: int,
  cut: bool = False,
) -> Tokens:
  """Lists of tokens as arrays.

  Args:
    rows: the tokens of each text.
    texts: for the error text.
    context_length: the most tokens of a text.
    padding: the token after the last one.
    cut: drop what is too long, all but the last token.

  Raises:
    UsageError: a text is too long, and is not to be cut.
  """
  if cut:
    most = context_length - 1
    rows = [
      row if len(row) <= context_length else [*row[:most], row[-1]]
      for row in rows
    ]
  lengths = np.array([len(row) for row in rows])
  if (longest := lengths.max(initial=1)) > context_length:
    text = texts[int(lengths.argmax())][:_LONGEST]
    raise errors.UsageError(
      f'A text must have at most {context_length} tokens, got {longest} of '
      f'{text!r}.'
    )
  # Few lengths, so that few programs are compiled.
  length = min(-longest % _STEP + longest, context_length)
  ids = np.full((len(rows), length), padding, np.int32)
  mask = np.arange(length) < lengths[:, None]
  ids[mask] = np.concatenate(rows) if len(rows) else []
  return Tokens(ids, mask)


def load(family: str, folder: epath.PathLike, context_length: int) -> Tokenizer:
  """Reads a tokenizer from a folder; nothing is downloaded.

  Args:
    family: key of `KINDS`.
    folder: folder with the files that `KINDS` lists.
    context_length: the most tokens of a text.

  Raises:
    UsageError: a file is missing, or transformers is not installed.
    DataError: the files are damaged.
  """
  kind = KINDS[lookup.check('family with a tokenizer', family, KINDS)]
  folder = epath.Path(folder).expanduser()
  if not any(
    all((folder / name).is_file() for name in names) for names in kind.files
  ):
    wanted = ', or '.join(' and '.join(names) for names in kind.files)
    raise errors.UsageError(
      f'The text tower of {family} must have its tokenizer in a folder with '
      f'{wanted}, got {str(folder)!r}, which has not.'
    )
  try:
    import transformers
  except ImportError as e:
    raise errors.UsageError(
      f'The tokenizer of {family} must be read by the package transformers, '
      "which is not installed: pip install 'overlap[transformers]'."
    ) from e
  with _one_line(folder):
    tokenizer = getattr(transformers, kind.name).from_pretrained(
      str(folder), local_files_only=True
    )
  return Tokenizer(tokenizer, context_length)


@contextlib.contextmanager
def _one_line(folder: epath.Path):
  """Whatever the library says of damaged files, as one line."""
  try:
    yield
  except Exception as e:
    reason = str(e).strip().split('\n')[0][:200]
    raise errors.DataError(
      f'{folder} must have the files of a tokenizer, got: {reason}.'
    ) from e

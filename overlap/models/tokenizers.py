"""Tokenizers of the library transformers, from local files."""

import contextlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from etils import epath

from overlap.core import errors, lookup

_LONGEST = 60  # Characters of a text quoted in error messages.
_STEP = 16  # Padded lengths are multiples of this.


class Kind(NamedTuple):
  """Class and files of a tokenizer.

  Attributes:
    name: name of the class in transformers.
    files: alternative sets of files, each of them sufficient.
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
  """Tokens of texts, padded to one length.

  Attributes:
    ids: int32 [texts, tokens].
    mask: bool [texts, tokens], false for padding.
  """

  ids: np.ndarray
  mask: np.ndarray


class Tokenizer:
  """Tokenizer that pads to at least the longest text.

  Attributes:
    context_length: maximal number of tokens of a text.
  """

  def __init__(self, tokenizer: Any, context_length: int):
    self._tokenizer = tokenizer
    self.context_length = context_length

  def __call__(self, texts: Sequence[str], *, cut: bool = False) -> Tokens:
    """Tokenizes texts.

    Args:
      texts: texts of any length.
      cut: whether to drop tokens before the last one from texts that are too
        long, instead of raising an error.

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
    """Number of different tokens, including padding."""
    return max(len(self._tokenizer), self._padding() + 1)

  @property
  def end_token(self) -> int:
    """Last token of every text."""
    return int(self._tokenizer('', verbose=False)['input_ids'][-1])

  def _padding(self) -> int:
    """Returns the padding token, 0 if the tokenizer has none."""
    return self._tokenizer.pad_token_id or 0


def to_tokens(
  rows: Sequence[Sequence[int]],
  texts: Sequence[str],
  *,
  context_length: int,
  padding: int,
  cut: bool = False,
) -> Tokens:
  """Converts lists of tokens to arrays.

  Args:
    rows: tokens of each text.
    texts: original texts, for error messages.
    context_length: maximal number of tokens of a text.
    padding: token that fills up shorter texts.
    cut: whether to cut texts that are too long, keeping their last token.

  Raises:
    UsageError: a text is too long and `cut` is false.
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
  # Few distinct lengths, so that few programs are compiled.
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
    context_length: maximal number of tokens of a text.

  Raises:
    UsageError: a file is missing, or transformers is not installed.
    DataError: the files are damaged.
  """
  kind = KINDS[lookup.check_choice('family with a tokenizer', family, KINDS)]
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
  """Converts the library's errors about damaged files to one-line errors."""
  try:
    yield
  except Exception as e:
    reason = str(e).strip().split('\n')[0][:200]
    raise errors.DataError(
      f'{folder} must have the files of a tokenizer, got: {reason}.'
    ) from e

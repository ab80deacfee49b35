"""Numbers with the right form of a noun or a verb: '1 pair is', '2 are'."""


def noun(count: int, word: str) -> str:
  """The noun, in the plural but for one: 'batches'."""
  if count == 1 or not word:
    return word
  if word.endswith(('s', 'x', 'z', 'ch', 'sh')):
    return f'{word}es'
  if word.endswith('y') and word[-2:-1] not in ('', *'aeiou'):
    return f'{word[:-1]}ies'
  return f'{word}s'


def counted(count: int, word: str) -> str:
  """A count and its noun: '2 batches'."""
  return f'{count} {noun(count, word)}'


def verb(count: int, one: str, many: str) -> str:
  """The form of a verb for so many: `one` for 1."""
  return one if count == 1 else many

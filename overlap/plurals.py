"""Singular and plural forms of nouns and verbs after numbers."""


def noun(count: int, word: str) -> str:
  """Returns the noun, in the plural unless `count` is 1: 'batches'."""
  if count == 1 or not word:
    return word
  if word.endswith(('s', 'x', 'z', 'ch', 'sh')):
    return f'{word}es'
  if word.endswith('y') and word[-2:-1] not in ('', *'aeiou'):
    return f'{word[:-1]}ies'
  return f'{word}s'


def counted(count: int, word: str) -> str:
  """Returns a count with its noun: '2 batches'."""
  return f'{count} {noun(count, word)}'


def verb(count: int, one: str, many: str) -> str:
  """Returns the form of a verb for `count`: `one` for 1, else `many`."""
  return one if count == 1 else many

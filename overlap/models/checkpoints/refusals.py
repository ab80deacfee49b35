"""Ending shared by every refusal of weights."""

import contextlib
from collections.abc import Iterator

from overlap.core import errors

WAY_ROUND = (
  'What the library that it is from predicts with it can be brought instead: '
  'overlap ingest.'
)


@contextlib.contextmanager
def explained(what: str) -> Iterator[None]:
  """Lets what is raised within name the weights, and the way round."""
  try:
    yield
  except errors.OverlapError as e:
    text = str(e)
    if WAY_ROUND in text:
      raise
    text = text if what in text else f'{what}: {text}'
    kind = (
      errors.UsageError
      if isinstance(e, errors.UsageError)
      else errors.DataError
    )
    raise kind(f'{text} {WAY_ROUND}') from e

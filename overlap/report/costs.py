"""Costs of ensembles in words: operations as multiples of one model's."""

from collections.abc import Iterable

from overlap.figures import frames, wording


class Costs:
  """The operations of a study's models, as far as they are known."""

  def __init__(self, tables: frames.Tables):
    """Reads the table 'costs', which may be absent."""
    table = tables.get('costs')
    self._flops: dict[str, int] = {}
    if table is not None:
      known = table.dropna(subset=['flops'])
      self._flops = dict(zip(known['model'], known['flops'].astype(int)))

  def of(self, model: str) -> str:
    """A model's operations for an image: '4.26 MFLOP'."""
    return wording.flops(self._flops.get(model))

  def times(self, members: Iterable[str], start: str) -> str:
    """An ensemble's operations as a multiple of one model's: '2.13'.

    '–' where they are not known; a model that is there twice counts once.
    """
    distinct = {start, *members}
    if not distinct <= self._flops.keys():
      return wording.MISSING
    total = sum(self._flops[name] for name in distinct)
    return wording.number(total / self._flops[start], 2)

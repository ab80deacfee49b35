"""Text for costs of ensembles, as multiples of one model's operations."""

from collections.abc import Iterable

from overlap.core import wording
from overlap.figures import frames


class Costs:
  """Floating-point operations of a study's models, where known."""

  def __init__(self, tables: frames.Tables):
    """Reads the table 'costs', if there is one."""
    table = tables.get('costs')
    self._flops: dict[str, int] = {}
    if table is not None:
      known = table.dropna(subset=['flops'])
      self._flops = dict(zip(known['model'], known['flops'].astype(int)))

  def of(self, model: str) -> str:
    """Returns a model's operations per image as text: '4.26 MFLOP'."""
    return wording.flops(self._flops.get(model))

  def times(self, members: Iterable[str], start: str) -> str:
    """Returns an ensemble's operations as a multiple of one model's: '2.13'.

    Args:
      members: names of the members besides `start`; repeated models count
        once.
      start: name of the model that all ensembles contain.

    Returns:
      The multiple, or '–' if the operations of a model are unknown.
    """
    distinct = {start, *members}
    if not distinct <= self._flops.keys():
      return wording.MISSING
    total = sum(self._flops[name] for name in distinct)
    return wording.number(total / self._flops[start], 2)

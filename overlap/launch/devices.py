"""Division of a machine's devices among processes by environment variables."""

import dataclasses
import glob
import os
from collections.abc import Mapping, Sequence

from overlap.core import errors, lookup

KINDS = ('cpu', 'cuda', 'tpu')
# Topology for libtpu, by the number of chips of one host.
_TPU_BOUNDS = {1: '1,1,1', 2: '1,2,1', 4: '2,2,1', 8: '2,4,1'}
_THREADS = (
  'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS',
  'NUMBA_NUM_THREADS',
)  # fmt: skip
_TPU_PORT = 8476


@dataclasses.dataclass(frozen=True)
class Share:
  """Share of the devices for one of several processes.

  Attributes:
    env: environment variables that restrict the process to its share.
    cpus: numbers of the CPU cores to run on; () for all.
    label: short description for the table.
  """

  env: Mapping[str, str]
  cpus: tuple[int, ...]
  label: str


def divide(text: str, parallel: int) -> list[Share]:
  """Divides devices evenly among processes.

  Args:
    text: 'cpu', 'cuda:0,1,2,3', 'tpu:0,1,2,3', or 'auto' for the devices of
      this machine.
    parallel: number of processes; 0 for one per device, or one on CPUs.

  Returns:
    The share of each process.

  Raises:
    UsageError: the kind is unknown, or the devices can't be divided evenly.
  """
  kind, devices = _parse(text)
  if parallel < 0:
    raise errors.UsageError(f'--parallel must be at least 0, got {parallel}.')
  parallel = parallel or len(devices) or 1
  cores = sorted(os.sched_getaffinity(0))
  # With more processes than cores, leave the scheduling to the system.
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
  lookup.check_choice('kind of device (--devices)', kind, (*KINDS, 'auto'))
  devices = [name for name in names.split(',') if name]
  if (kind == 'cpu') == bool(devices) or len(set(devices)) < len(devices):
    raise errors.UsageError(
      "--devices must be 'auto', 'cpu', or devices by their numbers, each "
      f"once, as in 'cuda:0,1', got {text!r}."
    )
  return kind, devices


def _found() -> tuple[str, list[str]]:
  """Returns this machine's devices, without JAX, which would claim them."""
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

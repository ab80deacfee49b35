"""Provenance of a run: versions, devices, revision, memory."""

import contextlib
import hashlib
import importlib.metadata
import os
import pathlib
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from overlap.core import malloc

_PACKAGES = (
  'overlap', 'jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'numpy',
  'scipy', 'pandas', 'numba', 'tensorstore', 'grain', 'tensorflow-datasets',
  'altair', 'vl-convert-python', 'jinja2',
)  # fmt: skip


def versions() -> dict[str, str]:
  """Returns versions of Python and of packages that affect results."""
  found = {'python': sys.version.split()[0]}
  for package in _PACKAGES:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
      found[package] = importlib.metadata.version(package)
  return found


def device() -> dict[str, Any]:
  """Returns a description of the device that JAX computes on."""
  import jax  # Imported here to keep `overlap --help` quick.

  first = jax.devices()[0]
  return {
    'platform': first.platform,
    'kind': first.device_kind,
    'count': jax.device_count(),
    'processes': jax.process_count(),
    'cpu_cores': len(os.sched_getaffinity(0)),
  }


def git_revision() -> str | None:
  """Returns the source tree's revision, with '+' if modified; None if none."""
  root = pathlib.Path(__file__).resolve().parents[2]
  git = ['git', '-C', str(root)]
  try:
    top, revision = (
      subprocess.run(
        [*git, 'rev-parse', '--show-toplevel', 'HEAD'],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
      )
      .stdout.strip()
      .split('\n')
    )
    if pathlib.Path(top) != root:
      return None  # Installed within another repository.
    changed = subprocess.run(
      [*git, 'status', '--porcelain'],
      capture_output=True,
      text=True,
      check=True,
      timeout=10,
    ).stdout
  except (OSError, ValueError, subprocess.SubprocessError):
    return None
  return revision + ('+' if changed else '')


def code_digest(pattern: str = '**/*.py') -> str:
  """Returns a digest of the package's own files that match a pattern."""
  root = pathlib.Path(__file__).resolve().parents[1]
  sums = hashlib.sha256()
  for file in sorted(root.glob(pattern)):
    sums.update(f'{file.relative_to(root)}:'.encode())
    sums.update(hashlib.sha256(file.read_bytes()).digest())
  return sums.hexdigest()[:16]


def peak_memory_bytes() -> int:
  """Returns the peak memory of this process, in bytes."""
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@contextlib.contextmanager
def timed(record: Callable[[float], None]) -> Iterator[None]:
  """Calls `record` with the seconds that the block took.

  They include returning freed memory to the system.
  """
  start = time.monotonic()
  yield
  malloc.return_freed()
  record(time.monotonic() - start)

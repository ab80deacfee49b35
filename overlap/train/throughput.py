"""Throughput of a run, and the time it waits for data."""

import time
from collections.abc import Iterator
from typing import TypeVar

import jax

from overlap.distributed import meshes

T = TypeVar('T')

# Dense bfloat16 operations per second (float16 where there is no bfloat16) from
# the makers' data sheets. Keys are prefixes of JAX's device kinds; a device of
# TPU v2, v3 and 7x is half a chip.
PEAKS = {
  'TPU v2': 22.5e12,
  'TPU v3': 61.5e12,
  'TPU v4': 275e12,
  'TPU v5 lite': 197e12,
  'TPU v5e': 197e12,
  'TPU v5': 459e12,
  'TPU v6 lite': 918e12,
  'TPU v6e': 918e12,
  'TPU7x': 1153.5e12,
  'Tesla V100': 125e12,
  'Tesla T4': 65e12,
  'NVIDIA A100': 312e12,
  'NVIDIA H100 PCIe': 756e12,
  'NVIDIA H100': 989e12,
  'NVIDIA H200': 989e12,
  'NVIDIA B200': 2250e12,
}


def peak(device_kind: str) -> float | None:
  """Returns the peak operations per second of a device; None if unknown."""
  known = [name for name in PEAKS if device_kind.startswith(name)]
  return PEAKS[max(known, key=len)] if known else None


class Meter:
  """Meter of the time of steps and of the wait for their batches."""

  def __init__(self) -> None:
    self._flops: float | None = None
    self._images = 0
    self._since: float | None = None
    self._waited = 0.0
    self._steps = 0

  def watch(self, batches: Iterator[T]) -> Iterator[T]:
    """Yields the batches, timing the wait for each."""
    while True:
      start = time.perf_counter()
      batch = next(batches, None)
      self._waited += time.perf_counter() - start
      if batch is None:
        return
      yield batch

  def begin(self, *, images: int, flops: float | None) -> None:
    """Starts the clock, after the first step is compiled and done.

    Args:
      images: images per step, over all processes.
      flops: floating-point operations per step, over all devices; None if
        unknown.
    """
    self._images, self._flops = images, flops
    self._restart()

  def count(self) -> None:
    """Counts a step that was sent to the devices."""
    self._steps += 1

  def take(self) -> dict[str, float]:
    """Returns the rates since the last call; call it when all steps are done.

    Returns:
      {} before the second step, as the first includes compilation; else
      'images_per_second', 'seconds_per_step', 'input_wait' (fraction of the
      time spent waiting for batches), and, for known devices,
      'flops_utilisation' (fraction of the peak in `PEAKS`).
    """
    if self._since is None or not self._steps:
      return {}
    seconds = (time.perf_counter() - self._since) / self._steps
    rates = {
      'images_per_second': self._images / seconds,
      'seconds_per_step': seconds,
      'input_wait': self._waited / (seconds * self._steps),
    }
    top = peak(jax.devices()[0].device_kind)
    if self._flops and top:
      rates['flops_utilisation'] = self._flops / (
        seconds * top * meshes.device_count()
      )
    self._restart()
    return rates

  def _restart(self) -> None:
    self._since = time.perf_counter()
    self._waited, self._steps = 0.0, 0

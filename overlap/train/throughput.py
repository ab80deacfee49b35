"""Throughput of a run, and the time it waits for data."""

import time
from collections.abc import Iterator
from typing import TypeVar

import jax

from overlap import parallel

T = TypeVar('T')

# Dense bfloat16 products (float16 where there is no bfloat16), operations a
# second, by the makers' data sheets. Names are beginnings of what JAX calls a
# device; a device of TPU v2, v3 and 7x is half a chip.
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
  """Operations a second of one device; None where it is not known."""
  known = [name for name in PEAKS if device_kind.startswith(name)]
  return PEAKS[max(known, key=len)] if known else None


class Meter:
  """Times the steps of a run and the wait for their batches."""

  def __init__(self) -> None:
    self._flops: float | None = None
    self._images = 0
    self._since: float | None = None
    self._waited = 0.0
    self._steps = 0

  def watch(self, batches: Iterator[T]) -> Iterator[T]:
    """Yields the batches, timing how long each has to be waited for."""
    while True:
      start = time.perf_counter()
      batch = next(batches, None)
      self._waited += time.perf_counter() - start
      if batch is None:
        return
      yield batch

  def begin(self, *, images: int, flops: float | None) -> None:
    """Starts the clock, when the first step is compiled and done.

    Args:
      images: in a step, over all processes.
      flops: floating-point operations of a step, over all devices; None where
        it is not known.
    """
    self._images, self._flops = images, flops
    self._restart()

  def count(self) -> None:
    """Notes a step that was sent to the devices."""
    self._steps += 1

  def take(self) -> dict[str, float]:
    """The rates of the steps since the last call; call when they are done.

    Returns:
      {} before the second step, whose first was compiled; else
      'images_per_second', 'seconds_per_step', 'input_wait' (the share of the
      time in which the next batch was not there yet), and, where the device
      is known, 'flops_utilisation' (of the peak of `PEAKS`).
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
        seconds * top * parallel.device_count()
      )
    self._restart()
    return rates

  def _restart(self) -> None:
    self._since = time.perf_counter()
    self._waited, self._steps = 0.0, 0

"""Training metrics for TensorBoard, by clu's writers."""

from collections.abc import Callable
from typing import Any


def scalar_writer(
  folder: str,
) -> Callable[[str, int, dict[str, float]], None] | None:
  """Returns a writer of TensorBoard scalars; None without TensorFlow."""
  try:
    from clu import metric_writers
  except ImportError:
    return None
  writers: dict[str, Any] = {}

  def write(phase: str, step: int, scalars: dict[str, float]) -> None:
    if phase not in writers:
      writers[phase] = metric_writers.SummaryWriter(f'{folder}/{phase}')
    writers[phase].write_scalars(step, scalars)
    writers[phase].flush()

  return write

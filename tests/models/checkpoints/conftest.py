"""Files of PyTorch, made by PyTorch: each test of them skips without it."""

import functools
import io

import pytest

from overlap.models.checkpoints import torch_file


@pytest.fixture
def save():
  """Saves in the layout asked for, and returns the file's bytes."""
  torch = pytest.importorskip('torch')

  def save_bytes(value, *, zipped, protocol=2):
    buffer = io.BytesIO()
    torch.save(
      value,
      buffer,
      _use_new_zipfile_serialization=zipped,
      pickle_protocol=protocol,
    )
    return buffer.getvalue()

  return save_bytes


@pytest.fixture(params=[True, False], ids=['zip', 'stream'])
def saved(request, save):
  """`save` in each layout."""
  return functools.partial(save, zipped=request.param)


@pytest.fixture
def load(tmp_path):
  """Loads from bytes."""

  def load_bytes(content):
    path = tmp_path / 'weights.pth'
    path.write_bytes(content)
    return torch_file.load(path)

  return load_bytes

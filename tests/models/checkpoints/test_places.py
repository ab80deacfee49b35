"""Cloud storage as a place of weights; the others are in test_checkpoints."""

import io
import pathlib

import numpy as np
import pytest
import safetensors.numpy
from etils import epath
from etils.epath import backend as epath_backend
from etils.epath import gpath
from flax import serialization

from overlap.core import errors
from overlap.models import checkpoints


class Bucket(epath_backend._OsPathBackend):
  """Stands in for a client of cloud storage: a bucket is a folder."""

  def __init__(self, folder):
    self.folder = folder

  def _local(self, path):
    return str(path).replace('gs://bucket', str(self.folder))

  def open(self, path, mode):
    return super().open(self._local(path), mode)

  def exists(self, path):
    return super().exists(self._local(path))

  def isdir(self, path):
    return super().isdir(self._local(path))

  def listdir(self, path):
    return super().listdir(self._local(path))


class Refusal(Exception):
  """Clients of cloud storage have errors that are no OSError."""


@pytest.fixture
def use(monkeypatch):
  """Makes a backend that of gs://."""

  def use_backend(backend):
    monkeypatch.setattr(
      gpath.PosixGPath, '_backend', property(lambda _: backend)
    )

  return use_backend


def npz(tensors):
  buffer = io.BytesIO()
  np.savez(buffer, **tensors)
  return buffer.getvalue()


@pytest.mark.parametrize(
  ('name', 'write'),
  [
    ('a.npz', npz),
    ('a.safetensors', safetensors.numpy.save),
    ('checkpoint_3', serialization.to_bytes),
  ],
)
def test_files_in_cloud_storage_are_read(tmp_path, use, name, write):
  (tmp_path / 'run').mkdir()
  (tmp_path / 'run' / name).write_bytes(write({'params': np.ones(2)}))
  use(Bucket(tmp_path))
  found = checkpoints.resolve(f'gs://bucket/run/{name}')
  assert str(found) == f'gs://bucket/run/{name}'
  (values,) = checkpoints.load_state(found).values()
  assert values.tolist() == [1, 1]


def test_pytorchs_files_in_cloud_storage_are_read(tmp_path, use, saved):
  torch = pytest.importorskip('torch')
  (tmp_path / 'a.pth').write_bytes(saved({'a': torch.ones(2)}))
  use(Bucket(tmp_path))
  found = checkpoints.resolve('gs://bucket/a.pth')
  assert checkpoints.load_state(found)['a'].tolist() == [1, 1]


def test_the_last_of_a_run_in_cloud_storage(tmp_path, use):
  for step in (9, 10):
    content = serialization.to_bytes({'a': np.full(2, step)})
    (tmp_path / f'checkpoint_{step}').write_bytes(content)
  use(Bucket(tmp_path))
  found = checkpoints.resolve('gs://bucket')
  assert checkpoints.load_state(found)['params/a'].tolist() == [10, 10]


def test_no_file_in_cloud_storage(tmp_path, use):
  use(Bucket(tmp_path))
  with pytest.raises(errors.DataError, match=r'gs://bucket/a\.npz must be a'):
    checkpoints.resolve('gs://bucket/a.npz')


class Missing(Bucket):
  """A backend whose client is not installed."""

  def isdir(self, path):
    raise ImportError('No module named its_client')

  exists = open = isdir


class Refusing(Bucket):
  """A backend that has no right to read."""

  def isdir(self, path):
    raise Refusal('403: no credentials\nTraceback: ...')

  exists = open = isdir


@pytest.mark.parametrize(
  ('backend', 'error', 'says'),
  [
    (Missing, errors.UsageError, "pip install '{client}'"),
    (Refusing, errors.DataError, 'readable file, got: 403: no credentials.'),
  ],
)
@pytest.mark.parametrize(
  ('path', 'client'),
  [('gs://b/a.npz', 'gcsfs'), ('s3://b/a.npz', 's3fs'), ('az://b/a', 'adlfs')],
)
def test_what_a_client_says_is_one_line(
  use, backend, error, says, path, client
):
  use(backend(pathlib.Path()))
  for function in (checkpoints.resolve, checkpoints.load_state):
    with pytest.raises(error) as caught:
      function(path)
    assert says.format(client=client) in str(caught.value)
    assert '\n' not in str(caught.value)
    assert 'Traceback' not in str(caught.value)


def test_our_own_mistakes_with_local_files_stay_as_they_are(tmp_path):
  with (
    pytest.raises(ZeroDivisionError),
    checkpoints.places.reading(epath.Path(tmp_path)),
  ):
    raise ZeroDivisionError

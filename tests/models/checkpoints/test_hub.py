"""Files of the hub: from a cache made here, and never from the network."""

import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest

from overlap.core import errors
from overlap.models import checkpoints
from overlap.models.checkpoints import hub

huggingface_hub = pytest.importorskip('huggingface_hub')
# The library gives its modules only after one has asked for them.
pytest.importorskip('huggingface_hub.constants')
pytest.importorskip('huggingface_hub.errors')

COMMIT, OLDER = 40 * 'a', 40 * 'b'


@pytest.fixture
def cache(tmp_path, monkeypatch):
  """A cache with two commits, in the library's layout."""
  folder = tmp_path / 'hub' / 'models--an-owner--a.repo'
  for commit, content in [(COMMIT, b'new'), (OLDER, b'old')]:
    blob = folder / 'blobs' / commit[:8]
    link = folder / 'snapshots' / commit / 'sub' / 'a.npz'
    blob.parent.mkdir(parents=True, exist_ok=True)
    link.parent.mkdir(parents=True)
    blob.write_bytes(content)
    link.symlink_to(blob)
  for ref, commit in [('main', COMMIT), ('v1', OLDER), ('refs/pr/1', OLDER)]:
    path = folder / 'refs' / ref
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(commit)
  (folder / '.no_exist' / COMMIT).mkdir(parents=True)
  (folder / '.no_exist' / COMMIT / 'known_absent.npz').touch()
  monkeypatch.setattr(
    huggingface_hub.constants, 'HF_HUB_CACHE', str(tmp_path / 'hub')
  )
  return tmp_path / 'hub'


@pytest.fixture
def asked(monkeypatch):
  """What is asked of the network, which is out of reach."""
  urls = []

  class Session:
    def head(self, url, timeout):
      urls.append((url, timeout))
      raise ConnectionError('no route\nto host')

  def download(*args, **kwargs):
    raise AssertionError('it would go on trying')

  monkeypatch.setattr(huggingface_hub, 'get_session', Session)
  monkeypatch.setattr(huggingface_hub, 'hf_hub_download', download)
  return urls


@pytest.mark.parametrize(
  ('at', 'content'),
  [
    ('', b'new'),
    ('@main', b'new'),
    ('@v1', b'old'),
    ('@refs%2Fpr%2F1', b'old'),
    (f'@{OLDER}', b'old'),
  ],
)
def test_a_cached_file_is_found_without_the_network(cache, asked, at, content):
  path = f'hf://an-owner/a.repo{at}/sub/a.npz'
  assert checkpoints.resolve(path).read_bytes() == content
  assert not asked


@pytest.mark.parametrize(
  'path',
  [
    'hf://an-owner/a.repo/b.npz',
    'hf://an-owner/a.repo/known_absent.npz',
    'hf://an-owner/a.repo@v2/sub/a.npz',
    'hf://an-owner/other/sub/a.npz',
  ],
)
def test_offline_any_other_file_is_one_line_after_one_question(
  cache, asked, path
):
  with pytest.raises(errors.DataError, match='out of reach') as caught:
    checkpoints.resolve(path)
  assert '\n' not in str(caught.value)
  assert all(part in str(caught.value) for part in (path, str(cache)))
  assert asked == [(huggingface_hub.constants.ENDPOINT, 10)]


def test_online_it_is_downloaded(cache, monkeypatch, tmp_path):
  class Session:
    def head(self, url, timeout):
      pass

  seen = []

  def download(*args, **kwargs):
    seen.append((args, kwargs))
    np.savez(tmp_path / 'b.npz', a=np.ones(2))
    return str(tmp_path / 'b.npz')

  monkeypatch.setattr(huggingface_hub, 'get_session', Session)
  monkeypatch.setattr(huggingface_hub, 'hf_hub_download', download)
  found = checkpoints.resolve('hf://an-owner/a.repo@v1/sub/b.npz')
  assert checkpoints.load_state(found)['a'].tolist() == [1, 1]
  assert seen == [(('an-owner/a.repo', 'sub/b.npz'), {'revision': 'v1'})]

  def refuse(*args, **kwargs):
    raise huggingface_hub.errors.EntryNotFoundError(
      '404 Client Error.\n\nEntry Not Found for url: x.', response=None
    )

  monkeypatch.setattr(huggingface_hub, 'hf_hub_download', refuse)
  with pytest.raises(errors.DataError, match=r'Entry Not Found') as caught:
    checkpoints.resolve('hf://an-owner/a.repo/b.npz')
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
  'path',
  [
    'hf://',
    'hf://a.npz',
    'hf://repo',
    'hf://owner/repo/',
    'hf://owner/repo@/a.npz',
    'hf://owner/repo/../a.npz',
    'hf://owner/re--po/a.npz',
    'hf://ow ner/repo/a.npz',
  ],
)
def test_another_form_is_refused(cache, asked, path):
  with pytest.raises(
    errors.UsageError, match=r'hf://OWNER/REPO\[@REVISION\]\[/FILE'
  ):
    checkpoints.resolve(path)
  assert not asked


def test_without_the_library(monkeypatch):
  monkeypatch.setitem(sys.modules, 'huggingface_hub', None)
  with pytest.raises(errors.UsageError, match='not installed') as caught:
    hub.fetch('hf://owner/repo/a.npz')
  assert "pip install 'overlap[transformers]'" in str(caught.value)


def test_the_cache_is_where_the_environment_says(cache, monkeypatch):
  """And the switch that forbids the network is heeded, at once."""
  monkeypatch.setenv('HF_HUB_CACHE', str(cache))
  monkeypatch.setenv('HF_HUB_OFFLINE', '1')
  monkeypatch.setenv('PYTHONPATH', str(pathlib.Path(hub.__file__).parents[3]))
  code = """
import time
from overlap.core import errors
from overlap.models.checkpoints import hub
print(hub.fetch('hf://an-owner/a.repo/sub/a.npz').read_text())
start = time.monotonic()
try:
  hub.fetch('hf://an-owner/a.repo/b.npz')
except errors.DataError as e:
  print(e)
print(time.monotonic() - start)
"""
  start = time.monotonic()
  done = subprocess.run(
    [sys.executable, '-W', 'ignore', '-c', code],
    capture_output=True,
    text=True,
    check=True,
  )
  content, error, seconds = done.stdout.strip().split('\n')
  assert content == 'new'
  assert str(cache) in error
  assert float(seconds) < min(5, time.monotonic() - start)

"""Tests of overlap.data.tfds_downloads; nothing leaves this machine."""

import functools
import hashlib
import http.server
import json
import pathlib
import sys
import threading
import time
import types

import pytest
import tensorflow_datasets as tfds

from overlap.core import errors
from overlap.data import tfds_downloads

FILES = ('a.gz', 'b.gz')


def put(folder, path, *, dataset='things', name=None, content=b'x'):
  """Puts a file where TFDS does, and its .INFO beside it."""
  path = folder / 'downloads' / path
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_bytes(content)
  info = {'dataset_names': [dataset], 'original_fname': name or path.name}
  path.with_name(f'{path.name}.INFO').write_text(json.dumps(info))
  return str(path)


def test_find(tmp_path):
  assert tfds_downloads.find(str(tmp_path / 'absent'), 'things', FILES) == {}
  # TFDS of today puts them into a folder of the data set, once it did not.
  a = put(tmp_path, 'things/host_aHASH.gz', name='a.gz')
  b = put(tmp_path, 'host_bHASH.gz', name='b.gz')
  put(tmp_path, 'things/c.gz')
  assert tfds_downloads.find(str(tmp_path), 'things', FILES) == {
    'a.gz': a, 'b.gz': b,
  }  # fmt: skip


def test_files_of_the_same_name_of_another_data_set_are_not_taken(tmp_path):
  put(tmp_path, 'others/a.gz', dataset='others')
  assert tfds_downloads.find(str(tmp_path), 'things', FILES) == {}


def test_a_file_without_contents_is_not_found(tmp_path):
  put(tmp_path, 'things/a.gz')
  (tmp_path / 'downloads' / 'things' / 'a.gz').unlink()
  assert tfds_downloads.find(str(tmp_path), 'things', FILES) == {}


def use_program(monkeypatch, tmp_path, text):
  """Lets `text` run in the place of Python."""
  path = tmp_path / 'program'
  path.write_text(f'#!{sys.executable}\nimport sys, time\n{text}\n')
  path.chmod(0o755)
  monkeypatch.setattr(sys, 'executable', str(path))


def test_a_download_that_hangs_is_ended(monkeypatch, tmp_path):
  use_program(monkeypatch, tmp_path, 'time.sleep(60)')
  monkeypatch.setattr(tfds_downloads, 'DOWNLOAD_SECONDS', 0.5)
  start = time.monotonic()
  with pytest.raises(errors.DataError, match='took longer than'):
    tfds_downloads.download(str(tmp_path), 'things')
  assert time.monotonic() - start < 20


def test_a_download_ends_within_a_minute():
  assert tfds_downloads.DOWNLOAD_SECONDS < 60


def test_a_download_that_fails_gives_its_last_line(monkeypatch, tmp_path):
  use_program(monkeypatch, tmp_path, "sys.exit('first\\nthe reason')")
  with pytest.raises(errors.DataError, match=r'failed \(the reason\)'):
    tfds_downloads.download(str(tmp_path), 'things')


def test_the_process_finds_the_module(tmp_path):
  # A data set that TFDS does not know, so that nothing is downloaded.
  with pytest.raises(errors.DataError) as error:
    tfds_downloads.download(str(tmp_path), 'no_such_data')
  assert 'No module named' not in str(error.value)
  assert 'dataset' in str(error.value)


@pytest.fixture
def server(tmp_path):
  """Serves tmp_path/site; returns its address."""
  (tmp_path / 'site').mkdir()

  class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
      del arguments

  handler = functools.partial(Handler, directory=str(tmp_path / 'site'))
  with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f'http://127.0.0.1:{server.server_port}'
    server.shutdown()
    thread.join()


def serve_things(monkeypatch, tmp_path, server, files=FILES, checksum=None):
  """Makes TFDS believe that `files` are a data set; returns their contents."""
  contents = {name: name.encode() * 100 for name in files}
  infos = {}
  for name, content in contents.items():
    (tmp_path / 'site').mkdir(exist_ok=True)
    (tmp_path / 'site' / name).write_bytes(content)
    infos[f'{server}/{name}'] = tfds.core.download.checksums.UrlInfo(
      size=tfds.core.utils.Size(len(content)),
      checksum=checksum or hashlib.sha256(content).hexdigest(),
      filename=name,
    )
  builder = types.SimpleNamespace(url_infos=infos)
  monkeypatch.setattr(tfds, 'builder_cls', {'things': builder}.__getitem__)
  return contents


def test_what_tfds_downloads_is_found(monkeypatch, tmp_path, server):
  contents = serve_things(monkeypatch, tmp_path, server)
  tfds_downloads.main(str(tmp_path), 'things')
  found = tfds_downloads.find(str(tmp_path), 'things', FILES)
  assert {
    name: pathlib.Path(path).read_bytes() for name, path in found.items()
  } == contents


def test_without_a_server_it_fails_at_once(monkeypatch, tmp_path):
  serve_things(monkeypatch, tmp_path, 'http://127.0.0.1:1')
  start = time.monotonic()
  with pytest.raises(OSError):
    tfds_downloads.main(str(tmp_path), 'things')
  assert time.monotonic() - start < 15


def test_what_has_another_checksum_is_not_found(monkeypatch, tmp_path, server):
  # One file: TFDS fails at the first, and would go on trying to have a second
  # for minutes in a thread, when the server is long gone.
  serve_things(
    monkeypatch, tmp_path, server, files=FILES[:1], checksum='0' * 64
  )
  with pytest.raises(Exception, match='checksum'):
    tfds_downloads.main(str(tmp_path), 'things')
  assert tfds_downloads.find(str(tmp_path), 'things', FILES) == {}

"""Tests of overlap.data.debian, with commands that play back."""

import os
import time

import pytest

from overlap.core import errors
from overlap.data import debian

DOWNLOAD, UPDATE, UNPACK = 'apt-get download', 'apt-get update', 'dpkg-deb -x'


@pytest.fixture
def folder(tmp_path, commands):
  (commands.tree / 'usr' / 'share').mkdir(parents=True)
  (commands.tree / 'usr' / 'share' / 'thing').write_text('contents')
  # apt's settings are quoted: a space does no harm.
  folder = tmp_path / 'a folder'
  folder.mkdir()
  return folder


def test_the_systems_lists_are_enough(folder, commands):
  debian.unpack('package-name', folder)
  assert (folder / 'usr' / 'share' / 'thing').read_text() == 'contents'
  assert commands.names == [DOWNLOAD, UNPACK]
  assert commands.calls[0][1][-1] == 'package-name'
  # Nothing else is left.
  assert os.listdir(folder) == ['usr']


def test_a_relative_folder_counts_from_here(folder, commands, monkeypatch):
  monkeypatch.chdir(folder.parent)
  debian.unpack('package-name', folder.name)
  assert (folder / 'usr' / 'share' / 'thing').read_text() == 'contents'
  assert commands.calls[-1][1][-1] == str(folder)


def test_all_that_apt_writes_lies_in_the_folder(folder, commands):
  debian.unpack('package-name', folder)
  config = commands.calls[0][2]
  assert f'Dir::Cache "{folder}/.apt-' in config
  assert 'Dir::State' not in config
  for hook in ('Pre-Invoke', 'Post-Invoke', 'Post-Invoke-Success'):
    assert f'#clear APT::Update::{hook};' in config.splitlines()


def test_own_lists_where_the_systems_have_it_not(folder, commands):
  commands.plan(apt_get__download='fail ok')
  debian.unpack('package-name', folder)
  assert (folder / 'usr' / 'share' / 'thing').exists()
  assert commands.names == [DOWNLOAD, UPDATE, DOWNLOAD, UNPACK]
  for _, _, config in commands.calls[1:3]:
    assert f'Dir::State::Lists "{folder}/.apt-' in config
    assert f'Dir::Cache "{folder}/.apt-' in config


@pytest.mark.parametrize(
  ('plan', 'names', 'text'),
  [
    (
      {'apt_get__download': 'fail', 'apt_get__update': 'fail'},
      [DOWNLOAD, UPDATE],
      r'apt-get failed \(E: no such luck\)',
    ),
    (
      {'apt_get__download': 'fail'},
      [DOWNLOAD, UPDATE, DOWNLOAD],
      r'apt-get failed \(E: no such luck\)',
    ),
    (
      {'apt_get__download': 'nothing'},
      [DOWNLOAD],
      'left no file',
    ),
    (
      {'dpkg_deb__-x': 'fail'},
      [DOWNLOAD, UNPACK],
      r'dpkg-deb failed \(E: no such luck\)',
    ),
  ],
)
def test_failures(folder, commands, plan, names, text):
  commands.plan(**plan)
  with pytest.raises(errors.DataError, match=text):
    debian.unpack('package-name', folder)
  assert commands.names == names
  assert os.listdir(folder) == []


def test_what_takes_too_long_is_ended(folder, commands, monkeypatch):
  monkeypatch.setattr(debian, 'DOWNLOAD_SECONDS', 0.6)
  monkeypatch.setattr(debian, 'UPDATE_SECONDS', 0.6)
  commands.plan(apt_get__download='hang', apt_get__update='hang')
  start = time.monotonic()
  with pytest.raises(errors.DataError, match='apt-get took longer than'):
    debian.unpack('package-name', folder)
  assert time.monotonic() - start < 20
  assert os.listdir(folder) == []


@pytest.mark.parametrize('absent', ['apt-get', 'dpkg-deb'])
def test_elsewhere_than_on_debian(folder, commands, absent):
  (commands.folder / 'bin' / absent).unlink()
  with pytest.raises(errors.DataError, match=f'no {absent} here'):
    debian.unpack('package-name', folder)
  assert commands.calls == []

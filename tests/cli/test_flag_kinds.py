"""Flags that may be repeated, and flags that name paths."""

import os
import pathlib

import pytest

from overlap.cli import common
from overlap.cli import main as cli
from overlap.core import errors, files


def test_a_repeated_list_adds_up():
  def models(*words):
    return cli.parse(['analyse', '--workdir=w', *words])['models'].value

  assert models() == []
  assert models('--models=a,b') == ['a', 'b']
  assert models('--models=a', '--models=b,c', '--models=d') == list('abcd')
  stages = cli.parse(['study', '--stages=train'])['stages'].value
  assert stages == ['train']  # In the place of the default.


@pytest.mark.parametrize(
  ('text', 'path'),
  [
    ('~/w', '{home}/w'),
    ('~', '{home}'),
    ('a/~/w', 'a/~/w'),
    ('file:///a/b', '/a/b'),
    ('FILE://localhost/a/b', '/a/b'),
    ('gs://a/b', 'gs://a/b'),
  ],
)
def test_paths(text, path, monkeypatch, tmp_path):
  monkeypatch.setenv('HOME', str(tmp_path))
  path = path.format(home=tmp_path)
  assert files.local_path(text) == path
  assert cli.parse(['verify', f'--workdir={text}'])['workdir'].value == path
  assert cli.parse(['verify', f'--anchors={text}'])['anchors'].value == path


def test_a_config_below_home(monkeypatch, tmp_path):
  root = pathlib.Path(__file__).resolve().parents[2]
  (tmp_path / 'configs').symlink_to(root / 'configs')
  monkeypatch.setenv('HOME', str(tmp_path))
  for name in ('~/configs/quickstart.py:smoke', 'file:~/x'):
    word = f'--config={name}'
    if name.startswith('~'):
      config = cli.parse(['train', word])['config'].value
      assert config.name == 'quickstart:smoke'
    else:
      with pytest.raises(errors.UsageError, match='must name a config file'):
        cli.parse(['train', word])


@pytest.mark.parametrize(
  ('workdir', 'text'),
  [
    ('s3://bucket/x', r'local folder or gs://BUCKET/FOLDER, got .s3://bucket'),
    ('hdfs://x/y', 'got .hdfs://x/y'),
    ('odd/foo://bar', 'got .odd/foo://bar'),
    ('caf\udce9', r'in UTF-8, got .caf\\udce9'),
    ('gs://', "got 'gs://'"),
    ('gs:///', "got 'gs:///'"),
    ('gs://bucket/x', 'pip install gcsfs'),
  ],
)
def test_what_no_scheme_reaches_is_one_line(workdir, text, monkeypatch):
  monkeypatch.setattr(files.importlib.util, 'find_spec', lambda name: None)
  values = cli.parse(['verify', f'--workdir={workdir}'])
  with pytest.raises(errors.UsageError, match=text):
    common.workdir(values)


def test_a_field_without_a_config():
  with pytest.raises(errors.UsageError, match='give --config='):
    cli.parse(['analyse', '--config.name=x'])


def test_the_local_folder_of_a_name_with_a_colon(tmp_path):
  values = cli.parse(['verify', f'--workdir={tmp_path}/a:b'])
  assert os.fspath(common.workdir(values)) == f'{tmp_path}/a:b'

"""Fixtures of tables of a study that never ran, for notebooks."""

import importlib.util
import pathlib

import pytest

HERE = pathlib.Path(__file__).resolve().parent


@pytest.fixture(scope='session')
def tables(synthetic):
  return synthetic.study()


@pytest.fixture(scope='session')
def workdir(tmp_path_factory, synthetic, tables):
  """The folder of a study, only read."""
  folder = tmp_path_factory.mktemp('study')
  synthetic.write(folder, tables)
  return folder


@pytest.fixture(scope='session')
def store():
  """The module that keeps what notebooks show."""
  path = HERE / 'store.py'
  spec = importlib.util.spec_from_file_location('notebook_store', path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module

"""Fixtures of tables of a study that never ran, for figures and report."""

import importlib.util
import pathlib

import pytest


@pytest.fixture(scope='session')
def synthetic():
  path = (
    pathlib.Path(__file__).resolve().parents[1] / 'figures' / 'synthetic.py'
  )
  spec = importlib.util.spec_from_file_location('synthetic', path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


@pytest.fixture
def tables(synthetic):
  return synthetic.study()


@pytest.fixture
def workdir(tmp_path, synthetic, tables):
  synthetic.write(tmp_path, tables)
  return tmp_path

"""Fixtures of tables of a study that never ran, for notebooks."""

import pytest


@pytest.fixture(scope='session')
def tables(synthetic):
  return synthetic.study()


@pytest.fixture(scope='session')
def workdir(tmp_path_factory, synthetic, tables):
  """The folder of a study, only read."""
  folder = tmp_path_factory.mktemp('study')
  synthetic.write(folder, tables)
  return folder

"""Fixtures of tables of a study that never ran, for figures and report."""

import pytest


@pytest.fixture
def tables(synthetic):
  return synthetic.study()


@pytest.fixture
def workdir(tmp_path, synthetic, tables):
  synthetic.write(tmp_path, tables)
  return tmp_path

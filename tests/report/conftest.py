"""Fixtures of tables of a study that never ran, for figures and report."""

import importlib.util
import pathlib
import shutil

import pytest

CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser')


@pytest.fixture(scope='session')
def browser():
  """A headless Chromium; skips where there is none, or nothing to drive it."""
  playwright = pytest.importorskip('playwright.sync_api')
  if CHROMIUM is None:
    pytest.skip('no Chromium: Debian has it as the package chromium')
  with playwright.sync_playwright() as driver:
    opened = driver.chromium.launch(
      executable_path=CHROMIUM,
      # Root may not run it in its sandbox; /dev/shm is small in containers.
      args=['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
    )
    yield opened
    opened.close()


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

"""A headless Chromium, and the page of a study as its readers have it."""

import shutil

import pytest

from overlap import report
from overlap.core import checksums
from overlap.figures import heatmap

CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser')
ALERT = '<script>alert(1)</script>'
IMAGE = '<img src=x onerror=alert(1)>'
PNG = (
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACk'
  'lEQVR42mNgAAAAAgAB4iG8MwAAAABJRU5ErkJggg=='
)
WIDE = {'viewport': {'width': 1280, 'height': 900}}


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
def study(synthetic):
  """Tables of models whose names would be markup."""
  models = dict(synthetic.MODELS)
  names = {synthetic.HOSTILE: ALERT, 'wide': IMAGE}
  return synthetic.study({names.get(m, m): c for m, c in models.items()})


@pytest.fixture(scope='session')
def path(tmp_path_factory, study, synthetic):
  workdir = tmp_path_factory.mktemp('study')
  synthetic.write(workdir, study)
  ids = study['contested']['id'].tolist()
  (workdir / 'report').mkdir()
  checksums.write_json(
    workdir / 'report' / 'thumbnails.json',
    {
      'dataset': 'fashion_mnist', 'split': 'test', 'size': 1,
      'images': dict.fromkeys(ids, PNG),
    },
  )  # fmt: skip
  return report.write_report(workdir)


@pytest.fixture(scope='session')
def markup():
  """Names of two of its models."""
  return ALERT, IMAGE


class Reader:
  """A page that is open, and all that must not happen on it."""

  def __init__(self, browser, path, **options):
    self.context = browser.new_context(**options)
    self.page = self.context.new_page()
    self.faults, self.requests = [], []
    self.page.on('console', lambda m: self.faults.append(m.text))
    self.page.on('pageerror', lambda e: self.faults.append(str(e)))
    self.page.on('dialog', self._dismiss)
    self.page.on('request', lambda r: self.requests.append(r.url))
    self.address = f'file://{path}'
    self.page.goto(self.address)
    self.page.wait_for_selector('html[data-ready]')

  def _dismiss(self, dialog):
    self.faults.append(f'dialog {dialog.message}')
    dialog.dismiss()

  def close(self):
    self.context.close()
    loaded = {u for u in self.requests if not u.startswith('data:')}
    assert loaded == {self.address}
    assert self.faults == []

  def text(self, selector):
    return self.page.locator(selector).inner_text()

  def texts(self, selector):
    return self.page.locator(selector).all_inner_texts()

  def click_cell(self, row, column):
    canvas = self.page.locator('#heatmap')
    at, cell = (
      float(canvas.get_attribute(f'data-{n}')) for n in ('at', 'cell')
    )
    x, y = (at + (place + 0.5) * cell for place in (column, row))
    canvas.click(position={'x': x, 'y': y})

  def shown(self):
    """The names of the pair shown, as its title has them."""
    return self.texts('#pair h3 span')


@pytest.fixture
def open_page(browser):
  opened = []

  def make(path, **options):
    opened.append(Reader(browser, path, **(options or WIDE)))
    return opened[-1]

  yield make
  for reader in opened:
    reader.close()


@pytest.fixture
def reader(open_page, path):
  return open_page(path)


@pytest.fixture(scope='session')
def order(study):
  """The models as the heat map has them at first."""
  return heatmap.by_category(study['models'])['model'].tolist()

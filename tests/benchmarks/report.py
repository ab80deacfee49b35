"""The report of all models of the paper, as heavy and as quick as it is.

  python tests/benchmarks/report.py [--models=N]

Tables of a study that never ran (85 models, 3,570 pairs, 2,000 examples) become
a page, which Chromium opens from its file. Printed are the page's size, how
long it takes from asking for it until it can be used (the least and the most of
`--repeats`), and how long after a click the screen has changed: until the frame
after the next begins. Needs `playwright` and Debian's `chromium`.
"""

import argparse
import importlib.util
import itertools
import pathlib
import shutil
import tempfile
import time

from playwright import sync_api

from overlap import report

# What a reader does, as functions of the page.
_CLICKS = {
  'a pair of the heat map': """() => {
    const canvas = document.getElementById('heatmap');
    const box = canvas.getBoundingClientRect();
    const { at, cell } = canvas.dataset;
    const [x, y] = [7, 30].map((place) => Number(at) + (place + 0.5) * cell);
    canvas.dispatchEvent(new MouseEvent(
      'click', { clientX: box.left + x, clientY: box.top + y, bubbles: true }));
  }""",
  'the order by clustering':
    "() => document.querySelector('[value=clustering]').click()",
  'another measure': """() => {
    const select = document.getElementById('measure');
    select.value = '3';
    select.dispatchEvent(new Event('change'));
  }""",
  'pairs sorted':
    "() => document.querySelector('#pairs th:nth-child(4) button').click()",
  'pairs filtered': """() => {
    const input = document.getElementById('filter-pairs');
    input.value = 'clip resnet';
    input.dispatchEvent(new Event('input'));
  }""",
  'another start of an ensemble': """() => {
    const select = document.getElementById('start');
    select.value = '1';
    select.dispatchEvent(new Event('change'));
  }""",
}  # fmt: skip
_TIMED = """async () => {
  const before = performance.now();
  (%s)();
  await new Promise((done) => {
    requestAnimationFrame(() => requestAnimationFrame(done));
  });
  return performance.now() - before;
}"""


def synthetic():
  """The module that makes the tables."""
  path = pathlib.Path(__file__).resolve().parents[1] / 'figures/synthetic.py'
  spec = importlib.util.spec_from_file_location('synthetic', path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


def written(folder: pathlib.Path, models: int) -> pathlib.Path:
  """The page of the paper's first so many models; prints its size."""
  made = synthetic()
  chosen = dict(itertools.islice(made.paper_models().items(), models))
  study = made.study(chosen)
  begun = time.perf_counter()
  path = folder / 'index.html'
  path.write_text(report.render(study))
  seconds = time.perf_counter() - begun
  pairs, size = len(study['pairs']), path.stat().st_size / 1e6
  print(f'{len(chosen)} models, {pairs:,} pairs: written in {seconds:.1f} s')
  print(f'size              {size:.2f} MB')
  return path


def opened(browser: sync_api.Browser, path: pathlib.Path) -> tuple:
  """A page that can be used, and after how many seconds it could."""
  page = browser.new_page(viewport={'width': 1280, 'height': 900})
  begun = time.perf_counter()
  page.goto(f'file://{path}')
  page.wait_for_selector('html[data-ready]')
  return page, time.perf_counter() - begun


def main() -> None:
  """Prints all figures."""
  parser = argparse.ArgumentParser()
  parser.add_argument('--models', type=int, default=85)
  parser.add_argument('--repeats', type=int, default=5)
  args = parser.parse_args()
  chromium = shutil.which('chromium') or shutil.which('chromium-browser')
  with (
    tempfile.TemporaryDirectory() as folder,
    sync_api.sync_playwright() as driver,
  ):
    path = written(pathlib.Path(folder), args.models)
    browser = driver.chromium.launch(
      executable_path=chromium,
      args=['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
    )
    times: dict[str, list[float]] = {name: [] for name in _CLICKS}
    opening = []
    for _ in range(args.repeats):
      page, seconds = opened(browser, path)
      opening.append(seconds)
      for name, click in _CLICKS.items():
        times[name].append(page.evaluate(_TIMED % click))
      page.close()
    browser.close()
  print(f'opens in          {min(opening):.2f} to {max(opening):.2f} s')
  for name, taken in times.items():
    print(f'{name:28}  {min(taken):.0f} to {max(taken):.0f} ms')


if __name__ == '__main__':
  main()

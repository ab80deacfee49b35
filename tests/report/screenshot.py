"""A picture of a study's page, for documents.

  python tests/report/screenshot.py WORKDIR PNG [--section=recommend] [--dark]

Needs `playwright` and Debian's `chromium`, as the tests of the page do.
"""

import argparse
import pathlib
import shutil
import sys

from playwright import sync_api

# Those of the page that show without being scrolled to.
SECTIONS = ('findings', 'one-pair', 'recommend', 'tables', 'all-pairs')
_UNSTICK = """() => {
  for (const element of document.querySelectorAll('*')) {
    if (getComputedStyle(element).position === 'sticky') {
      element.style.position = 'static';
    }
  }
}"""


def take(
  browser: sync_api.Browser,
  page: pathlib.Path,
  picture: pathlib.Path,
  *,
  section: str,
  width: int = 1200,
  scale: float = 1.5,
  dark: bool = False,
) -> None:
  """Writes a section of a page as PNG.

  Args:
    browser: Chromium.
    page: `report/index.html` of a study.
    picture: the file to write.
    section: of `SECTIONS`.
    width: of the page, in its own pixels.
    scale: pixels of the picture for each of them.
    dark: whether it is that of a reader who prefers dark pages.
  """
  context = browser.new_context(
    viewport={'width': width, 'height': 900},
    device_scale_factor=scale,
    color_scheme='dark' if dark else 'light',
  )
  shown = context.new_page()
  shown.goto(page.resolve().as_uri())
  shown.wait_for_selector('html[data-ready]')
  # What stays in sight while one scrolls would lie half-way down the picture.
  shown.evaluate(_UNSTICK)
  shown.locator(f'#{section}').screenshot(path=picture)
  context.close()


def main() -> None:
  """Takes one picture."""
  parser = argparse.ArgumentParser()
  parser.add_argument('workdir', type=pathlib.Path)
  parser.add_argument('png', type=pathlib.Path)
  parser.add_argument('--section', choices=SECTIONS, default='one-pair')
  parser.add_argument('--width', type=int, default=1200)
  parser.add_argument('--dark', action='store_true')
  args = parser.parse_args()
  page = args.workdir / 'report' / 'index.html'
  if not page.is_file():
    sys.exit(f'{page} must exist: `overlap report --workdir=W` writes it.')
  chromium = shutil.which('chromium') or shutil.which('chromium-browser')
  with sync_api.sync_playwright() as driver:
    browser = driver.chromium.launch(
      executable_path=chromium,
      args=['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
    )
    take(
      browser, page, args.png,
      section=args.section, width=args.width, dark=args.dark,
    )  # fmt: skip
    browser.close()


if __name__ == '__main__':
  main()

"""Runs the notebooks and keeps what they show, for readers of the code.

  python tests/notebook/store.py [--notebooks=FOLDER] [NAME ...]

They run as they stand, with the workdirs that their forms name:
`launch/quickstart.sh` makes that of `overlap.ipynb`. Charts are kept as
pictures, for a viewer of files runs no scripts. Of each notebook the digest of
its cells is kept too: the tests fail where a cell was changed and not run.
"""

import argparse
import base64
import hashlib
import io
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import nbclient
import nbformat
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Pixels of a picture for each of the chart's own.
SCALE = 1.25
_PICTURES = f"""
import altair as alt
alt.renderers.enable('png', scale_factor={SCALE})
"""


def digest(notebook: Any) -> str:
  """SHA-256 of the code of all cells."""
  sources = [c.source for c in notebook.cells if c.cell_type == 'code']
  return hashlib.sha256('\0'.join(sources).encode()).hexdigest()


def run(notebook: Any, folder: pathlib.Path) -> None:
  """Runs a notebook in a folder; its cells then have their outputs.

  Raises:
    nbclient.exceptions.CellExecutionError: a cell failed.
  """
  first = nbformat.v4.new_code_cell(_PICTURES)
  notebook.cells.insert(0, first)
  try:
    nbclient.NotebookClient(
      notebook, timeout=600, resources={'metadata': {'path': str(folder)}}
    ).execute()
  finally:
    notebook.cells.remove(first)
  code = [cell for cell in notebook.cells if cell.cell_type == 'code']
  for count, cell in enumerate(code, 1):
    cell.metadata.pop('execution', None)  # When it ran is news every time.
    cell.execution_count = count
    cell.outputs = list(_kept(cell.outputs, count))
  notebook.metadata['overlap'] = {'digest': digest(notebook)}
  notebook.metadata['language_info'] = {'name': 'python'}


def _kept(outputs: list[Any], count: int) -> Iterator[Any]:
  """Outputs without bars and log lines, which are of the moment."""
  for output in outputs:
    if output.get('name') == 'stderr':
      continue
    if 'execution_count' in output:
      output.execution_count = count
    data = output.get('data', {})
    # An object's address in memory tells nobody anything.
    if 'image/png' in data or re.search(
      r'object at 0x', data.get('text/plain', '')
    ):
      data.pop('text/plain', None)
    if 'image/png' in data:
      data['image/png'] = _smaller(data['image/png'])
    yield output


def _smaller(picture: str) -> str:
  """A PNG, in base64, with at most 256 colours: a chart has few."""
  with Image.open(io.BytesIO(base64.b64decode(picture))) as image:
    few = image.convert('RGB').quantize(256, dither=Image.Dither.NONE)
  out = io.BytesIO()
  few.save(out, 'PNG', optimize=True)
  return base64.b64encode(out.getvalue()).decode()


def main() -> None:
  parser = argparse.ArgumentParser()
  parser.add_argument(
    '--notebooks', type=pathlib.Path, default=ROOT / 'notebooks'
  )
  parser.add_argument('names', nargs='*', help='all by default')
  args = parser.parse_args()
  for path in sorted(args.notebooks.glob('*.ipynb')):
    if args.names and path.stem not in args.names:
      continue
    notebook = nbformat.read(path, as_version=4)
    run(notebook, path.parent)
    nbformat.write(notebook, path)
    print(f'{path}: {path.stat().st_size / 1e6:.2f} MB')


if __name__ == '__main__':
  main()

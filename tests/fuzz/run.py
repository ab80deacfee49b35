"""Searches for files that a reader does not bear, guided by coverage.

  python tests/fuzz/run.py [--seconds=600] [--reader=NAME ...] [--folder=DIR]

It needs `pip install atheris` beside the package. All readers are tried, or
those that are named; the first byte of an input chooses among them. An input
that breaks one is written to DIR (./fuzz by default): once it is mended, move
it to tests/fuzz/found as READER-WHAT, where the tests keep it mended.
"""

import argparse
import os
import pathlib
import sys
import tempfile
import warnings

import atheris

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tests' / 'fuzz')]
os.environ.setdefault('JAX_PLATFORMS', 'cpu')

with atheris.instrument_imports(include=['overlap', 'zipfile', 'tarfile']):
  import readers

  from overlap.core import errors

_MEBIBYTES, _SECONDS = 4096, 20


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
  parser.add_argument('--seconds', type=int, default=600)
  parser.add_argument(
    '--reader', choices=list(readers.READERS), action='append'
  )
  parser.add_argument('--folder', type=pathlib.Path, default='fuzz')
  given = parser.parse_args()
  names = given.reader or list(readers.READERS)
  corpus = given.folder / 'corpus'
  corpus.mkdir(parents=True, exist_ok=True)
  for place, name in enumerate(names):
    for number, seed in enumerate(readers.READERS[name].seeds):
      file = corpus / f'{name.replace(" ", "_")}-{number}'
      file.write_bytes(bytes([place]) + seed)
  warnings.simplefilter('error')
  with tempfile.TemporaryDirectory() as folder:

    def one(content: bytes) -> None:
      if not content:
        return
      name = names[content[0] % len(names)]
      try:
        readers.read_bytes(name, content[1:], folder)
      except errors.OverlapError:
        pass
      except BaseException:
        print(f'reader: {name}', file=sys.stderr)
        raise

    atheris.Setup(
      [
        sys.argv[0], str(corpus), f'-max_total_time={given.seconds}',
        f'-rss_limit_mb={_MEBIBYTES}', f'-timeout={_SECONDS}',
        '-max_len=8192', f'-artifact_prefix={given.folder}/',
      ],
      one,
    )  # fmt: skip
    atheris.Fuzz()


if __name__ == '__main__':
  main()

"""Files that TFDS downloads for a data set, as they were published.

Also a script, run in a process of its own: TFDS retries for minutes where
there is no network, and only a process can be ended.
"""

import glob
import json
import os
import pathlib
import subprocess
import sys
import urllib.request
from collections.abc import Sequence

from overlap.core import errors

DOWNLOAD_SECONDS = 45.0
_CONNECT_SECONDS = 10.0


def find(folder: str, dataset: str, files: Sequence[str]) -> dict[str, str]:
  """Returns from file name to path, of those that TFDS has downloaded.

  Args:
    folder: TFDS's data folder, which holds downloads/.
    dataset: TFDS's name; only its files are taken, as others' share names.
    files: names as published.
  """
  found = {}
  pattern = os.path.join(glob.escape(folder), 'downloads', '**', '*.INFO')
  for info_path in sorted(glob.glob(pattern, recursive=True)):
    with open(info_path) as f:
      info = json.load(f)
    name, path = info.get('original_fname'), info_path.removesuffix('.INFO')
    if (
      name in files
      and dataset in info.get('dataset_names', ())
      and os.path.isfile(path)
    ):
      found[name] = path
  return found


def download(folder: str, dataset: str) -> None:
  """Downloads all files of a data set into `folder`/downloads, in time.

  Raises:
    DataError: it fails, or takes longer than `DOWNLOAD_SECONDS`.
  """
  command = [
    sys.executable,
    '-m',
    'overlap.data.tfds_downloads',
    folder,
    dataset,
  ]
  # The process must find this package also where it is not installed.
  root = str(pathlib.Path(__file__).parents[2])
  paths = [root, *filter(None, [os.environ.get('PYTHONPATH')])]
  try:
    subprocess.run(
      command,
      timeout=DOWNLOAD_SECONDS,
      check=True,
      stdin=subprocess.DEVNULL,
      capture_output=True,
      text=True,
      errors='replace',
      env={**os.environ, 'PYTHONPATH': os.pathsep.join(paths)},
    )
  except subprocess.TimeoutExpired as e:
    raise errors.DataError(
      f"TFDS's download took longer than {DOWNLOAD_SECONDS:.0f} s"
    ) from e
  except subprocess.CalledProcessError as e:
    lines = e.stderr.strip().splitlines() or ['no message']
    raise errors.DataError(f"TFDS's download failed ({lines[-1]})") from e


def main(folder: str, dataset: str) -> None:
  """Downloads, with TFDS's addresses and checksums."""
  import tensorflow_datasets as tfds

  infos = tfds.builder_cls(dataset).url_infos
  # Fails at once where there is no network. The address is TFDS's own.
  address = min(infos)
  urllib.request.urlopen(address, timeout=_CONNECT_SECONDS).close()  # nosec B310
  manager = tfds.download.DownloadManager(
    download_dir=os.path.join(folder, 'downloads'),
    url_infos=infos,
    dataset_name=dataset,
    force_checksums_validation=True,
  )
  manager.download(sorted(infos))


if __name__ == '__main__':
  main(*sys.argv[1:])

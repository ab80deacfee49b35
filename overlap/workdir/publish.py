"""Replaces all tables atomically.

They are written to a hidden folder beside `tables/`, which is then swapped for
it: readers see either the old tables or the new ones with their request, never
a mixture. (Cloud Storage can't swap folders; there `done.json` is written
last.)
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from etils import epath

from overlap.core import checksums, files
from overlap.store import folders
from overlap.tables import schemas, table_io
from overlap.workdir import fingerprints

REQUEST = 'analysis.json'


def publish(
  path: epath.Path,
  request: Mapping[str, Any],
  made: Mapping[str, pd.DataFrame],
  made_of: Mapping[str, str],
) -> None:
  """Replaces all existing tables.

  Files in the folder that are not tables of the study are kept.

  Args:
    path: path of the workdir.
    request: contents of `tables/analysis.json`.
    made: tables by name.
    made_of: stamp of their inputs, from `fingerprints.stamp`.

  Raises:
    DataError: the workdir can't be written; the older tables are unchanged.
  """
  final = path / 'tables'
  aside = files.aside(final)
  folders.sweep(final, keep=aside)
  try:
    with files.writable(final):
      _keep_others(final, aside / 'tables')
      checksums.write_json(aside / 'tables' / REQUEST, request)
      for name, frame in made.items():
        table_io.write_table(aside, name, frame)
      fingerprints.note(aside, made_of)
      folders.publish(aside / 'tables', final, replace=True)
  finally:
    folders.remove(aside)


def _keep_others(old: epath.Path, new: epath.Path) -> None:
  """Copies files of the old folder that this program did not write."""
  ours = {REQUEST, table_io.DONE} | {
    f'{name}.{extension}'
    for name in schemas.SCHEMAS
    for extension in ('csv', 'parquet')
  }
  for name in folders.file_names(old) if old.is_dir() else ():
    if name not in ours and not name.startswith('.'):
      files.write_bytes(new / name, (old / name).read_bytes())

"""Shows new tables, all of them at once.

They are written to a hidden folder beside `tables/`, which is then swapped for
it: whoever looks, at whatever moment, finds the old tables or the new ones with
what was asked for, and never some of each. (Cloud Storage has no such swap;
there `done.json` comes last.)
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from etils import epath

from overlap import files, sealed, tables
from overlap.store import folders
from overlap.study import unchanged

REQUEST = 'analysis.json'


def publish(
  path: epath.Path,
  request: Mapping[str, Any],
  made: Mapping[str, pd.DataFrame],
  made_of: Mapping[str, str],
) -> None:
  """Puts tables in the place of all that were there.

  Files in the folder that are no table of ours are kept.

  Args:
    path: the workdir.
    request: what was asked for.
    made: the tables.
    made_of: from `unchanged.stamp`.

  Raises:
    DataError: the place can't be written; the older tables are then as they
      were.
  """
  final = path / 'tables'
  aside = files.aside(final)
  folders.sweep(final, keep=aside)
  try:
    with files.writable(final):
      _keep_others(final, aside / 'tables')
      sealed.write(aside / 'tables' / REQUEST, request)
      for name, frame in made.items():
        tables.write(aside, name, frame)
      unchanged.note(aside, made_of)
      folders.publish(aside / 'tables', final, replace=True)
  finally:
    folders.remove(aside)


def _keep_others(old: epath.Path, new: epath.Path) -> None:
  """Copies what is not ours, such as a table that somebody added."""
  ours = {REQUEST, tables.DONE} | {
    f'{name}.{extension}'
    for name in tables.SCHEMAS
    for extension in ('csv', 'parquet')
  }
  for name in folders.file_names(old) if old.is_dir() else ():
    if name not in ours and not name.startswith('.'):
      files.write_bytes(new / name, (old / name).read_bytes())

"""JSON files, of one value or of one on each line."""

import json
from typing import Any

from overlap.ingest import raw_file
from overlap.ingest.faults import readable

LINES = ('.jsonl', '.ndjson')


def load(path: str) -> Any:
  """Reads a JSON file; of JSON lines, a list of their values.

  Lines are told by the extension, or by there being more than one value.

  Raises:
    DataError: it is absent or no JSON.
  """
  with readable(path, 'JSON'):
    try:
      with raw_file.open_text(path) as f:
        text = f.read()
      if raw_file.split_extension(path)[1] in LINES:
        return _lines(text)
      try:
        return json.loads(text)
      except json.JSONDecodeError as e:
        if not e.msg.startswith('Extra data'):
          raise
        return _lines(text)
    except RecursionError as e:
      raise ValueError('lists within lists within lists') from e


def _lines(text: str) -> list[Any]:
  values = []
  for number, line in enumerate(text.split('\n'), 1):
    if line.strip():
      try:
        values.append(json.loads(line))
      except ValueError as e:
        raise ValueError(f'{e} in line {number} of JSON lines') from e
  return values

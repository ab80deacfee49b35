"""model-vs-human's raw data: one trial a row, of a model or of a person.

A decision is right where `object_response` is `category`. Whoever gave no
answer in time has the response `na`; it is a class of its own, the last, so
that models and people share one set of classes.

The name of an image begins with the number of the trial, the experiment and
who was shown it (`0001_cl_dnn_cr_oven_...`, `0001_cl_s01_cr_oven_...`); its id
here is the name without the first and the third, the same for all.
"""

import re

from overlap import errors
from overlap.ingest import columns, csv_table
from overlap.ingest import source as source_lib
from overlap.ingest.columns import TEXT
from overlap.ingest.source import Source

NO_ANSWER = 'na'
_COLUMNS = ('subj', 'object_response', 'category', 'imagename')
_TRIAL = re.compile(r'\d+_([^_]+)_(?:dnn|s\d+)_(.+)')


def read(path: str) -> Source:
  """Reads the decisions of one model or person."""
  table = csv_table.open_csv(path)
  found = columns.read(table, dict.fromkeys(_COLUMNS, TEXT))
  subjects = sorted(set(map(str, found['subj'])))
  if len(subjects) > 1:
    raise errors.DataError(
      f'{path} must have the decisions of one subj, got those of '
      f'{len(subjects)}, among them {subjects[0]} and {subjects[1]}.'
    )
  # Answers outside the categories are told with the choices later.
  names = sorted(set(map(str, found['category'])) - {NO_ANSWER})
  return Source(
    source_lib.CLASSES,
    len(found['category']),
    predicted=found['object_response'],
    ids=source_lib.text([image_id(n) for n in found['imagename']], 'imagename'),
    labels=found['category'],
    class_names=(*names, NO_ANSWER),
  )


def image_id(name: str) -> str:
  """The name of an image without the trial's number and the observer's."""
  match = _TRIAL.fullmatch(str(name))
  return '_'.join(match.groups()) if match else str(name)

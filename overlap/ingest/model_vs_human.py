"""model-vs-human's raw data: one trial a row, of models or of people.

A decision is right where `object_response` is `category`. Whoever gave no
answer in time has the response `na`, which is no class. Models are named by
`subj`. Trials of other conditions are other data, and are never pooled.

The name of an image is TRIAL_EXPERIMENT_OBSERVER_CONDITION_CATEGORY_NUMBER_NAME
(`0001_cl_s01_cr_oven_40_n0411_14.png`), or NAME alone in some files of models.
Its id here is NAME, the same for all observers.
"""

import re

import numpy as np

from overlap.ingest import columns, csv_table
from overlap.ingest import source as source_lib
from overlap.ingest.columns import TEXT
from overlap.ingest.source import Source

NO_ANSWER = 'na'
_COLUMNS = ('subj', 'object_response', 'category', 'imagename')
_CONDITION = 'condition'
# How data tables write that there is none.
_NONE = ('NaN', 'nan', 'NA', 'None')
_TRIAL = re.compile(r'\d+_[^_]+_(?:dnn|s\d+)_[^_]+_[^_]+_\d+_(.+)')


def read_trials(path: str) -> Source:
  """Reads the decisions of models or people."""
  table = csv_table.open_csv(path)
  names = [*_COLUMNS, *([_CONDITION] if _CONDITION in table.names else [])]
  found = columns.read_columns(table, dict.fromkeys(names, TEXT))
  rows = len(found['category'])
  conditions = found.get(_CONDITION, np.full(rows, ''))
  # Answers outside the categories are told with the choices later.
  classes = sorted(set(map(str, found['category'])) - {NO_ANSWER})
  return Source(
    source_lib.CLASSES,
    rows,
    predicted=found['object_response'],
    ids=source_lib.text([image_id(n) for n in found['imagename']], 'imagename'),
    labels=found['category'],
    class_names=classes,
    answered=found['object_response'] != NO_ANSWER,
    observers=found['subj'],
    conditions=np.where(np.isin(conditions, _NONE), '', conditions),
  )


def image_id(name: str) -> str:
  """The name of an image without what is of the trial."""
  match = _TRIAL.fullmatch(str(name))
  return match.group(1) if match else str(name)

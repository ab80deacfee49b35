"""Studies of predictions of other programs, from a notebook."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import pandas as pd
from etils import epath

from overlap import ingest as ingest_lib
from overlap.core import lookup
from overlap.notebook.study import Study, as_folder, load_study


def ingest(
  workdir: epath.PathLike,
  predictions: epath.PathLike,
  *,
  dataset: str = 'mine',
  split: str = 'test',
  **fields: Any,
) -> pd.DataFrame:
  """Ingests predictions into a study, like `overlap ingest`.

  Args:
    workdir: folder of the study, created if absent.
    predictions: a file, a folder or a glob pattern, with one file per model.
    dataset: name of the data set in the study.
    split: name of the split.
    **fields: further fields of `overlap.ingest.Request`: `labels`, `model`,
      `category`, `format`, `kind`, `replace`, ...

  Returns:
    One row per model: `model`, `kind`, `examples`, `classes`, `aligned_by` and
    `new`, whether the model was not stored before.

  Raises:
    UsageError: an argument is invalid, see `overlap.ingest.ingest`.
    DataError: a file can't be read, see `overlap.ingest.ingest`.
  """
  known = [field.name for field in dataclasses.fields(ingest_lib.Request)]
  for name in fields:
    lookup.check_choice('field of ingest', name, known)
  request = ingest_lib.Request(
    workdir=as_folder(workdir), dataset=dataset, split=split,
    predictions=str(predictions), **fields,
  )  # fmt: skip
  return pd.DataFrame(
    {
      'model': record['model'],
      'kind': record['kind'],
      'examples': record['num_examples'],
      'classes': record['num_classes'],
      'aligned_by': record['aligned_by'],
      'new': new,
    }
    for record, new in ingest_lib.ingest(request)
  )


def compare(
  workdir: epath.PathLike,
  base: str,
  *,
  dataset: str | None = None,
  split: str | None = None,
  models: Sequence[str] = (),
  **options: Any,
) -> Study:
  """Analyses the predictions of a study, like `overlap analyse`, and opens it.

  Tables that are up to date are not computed again.

  Args:
    workdir: folder of the study.
    base: name of the model that the others are compared with.
    dataset: name of the data set; optional if the study has only one.
    split: split of the data set; optional like `dataset`.
    models: names of the other models; all stored models if empty.
    **options: fields of `config.analyses`: `tables`, `resamples`, ...

  Raises:
    UsageError: a data set, split, model, option or value is unknown.
    DataError: stored predictions are damaged.
  """
  from overlap.stages import analyse  # Not at the top: it imports JAX.

  path = as_folder(workdir)
  request = analyse.store_request(
    path, dataset, split, base, models=models, options=options
  )
  analyse.analyse(path, request)
  return load_study(path)

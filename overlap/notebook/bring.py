"""A study of predictions that were made elsewhere, from a notebook."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import pandas as pd
from etils import epath

from overlap import ingest as ingest_lib
from overlap import lookup
from overlap.notebook.study import Study, as_folder, load_study


def ingest(
  workdir: epath.PathLike,
  predictions: epath.PathLike,
  *,
  dataset: str = 'mine',
  split: str = 'test',
  **fields: Any,
) -> pd.DataFrame:
  """Brings predictions into a folder, as `overlap ingest` does.

  Args:
    workdir: the folder; made where it is absent.
    predictions: a file, a folder or a pattern: a model a file.
    dataset: the name that the data get here.
    split: name of the split.
    **fields: further ones of `overlap.ingest.Request`: `labels`, `model`,
      `category`, `format`, `kind`, `replace`, ...

  Returns:
    One row a model: `model`, `kind`, `examples`, `classes`, `aligned_by` and
    `new`, whether it was not there already.

  Raises:
    UsageError, DataError: as `overlap.ingest.ingest`.
  """
  known = [field.name for field in dataclasses.fields(ingest_lib.Request)]
  for name in fields:
    lookup.check('field of ingest', name, known)
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
  """Measures what a folder holds, as `overlap analyse` does, and opens it.

  What is there and unchanged is not measured again.

  Args:
    workdir: the folder.
    base: the model that the others are compared with.
    dataset: may be left out, with `split`, where the folder has one alone.
    split: split of the data set.
    models: the others; all that are stored if empty.
    **options: fields of `config.analyses`: `tables`, `resamples`, ...

  Raises:
    UsageError: no such data set, split, model, option or value.
    DataError: what is stored is damaged.
  """
  from overlap.study import results  # Not at the top: it imports JAX.

  path = as_folder(workdir)
  request = results.store_request(
    path, dataset, split, base, models=models, options=options
  )
  results.analyse(path, request)
  return load_study(path)

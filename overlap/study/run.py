"""Runs the stages of a study in order."""

import time
from collections.abc import Sequence

from absl import logging
from etils import epath

from overlap import parallel
from overlap.study import (
  drawing,
  inputs,
  prediction,
  results,
  thumbnails,
  timings,
  training,
  workdir,
)
from overlap.study.study import Study

STAGES = ('train', 'predict', 'analyse', 'report')


def run(
  study: Study, stages: Sequence[str], model: str | None = None
) -> epath.Path | None:
  """Runs stages in order; returns the report's path if it is made.

  Args:
    study: study to run.
    stages: some of 'train', 'predict', 'analyse' and 'report'; 'analyse' or
      'report' alone is run even if nothing has changed.
    model: name of the only model to train and predict; None for all.
  """
  began, start = workdir.now(), time.monotonic()
  page = _stages(study, stages, model)
  if parallel.is_primary():
    added = [
      entry
      for entry in timings.read(study.path)['stages']
      if str(entry['finished']) >= began and 'peak_memory_bytes' in entry
    ]
    order = [stage for stage in STAGES if stage in stages]
    seconds = time.monotonic() - start
    for line in timings.summary(added, order, seconds):
      logging.info('%s', line)
  return page


def _stages(
  study: Study, stages: Sequence[str], model: str | None
) -> epath.Path | None:
  page = None
  inputs.check(study, stages, model)
  if 'train' in stages:
    training.train(study, model)
  if 'predict' in stages:
    prediction.predict_all(study, model)
  if 'analyse' in stages:
    request = results.study_request(study.path, study.config)
    study.begin()
    results.analyse(study.path, request, again=len(stages) == 1)
  if 'report' in stages:
    drawing.require_tables(study.path)
    if 'analyse' not in stages:
      drawing.warn_if_stale(study.path)
    study.begin()
    thumbnails.make(study)
    page = drawing.write_report(study.path, again=len(stages) == 1)
  return page

"""Runs the stages of a study in order."""

import time
from collections.abc import Sequence

from absl import logging
from etils import epath

from overlap.distributed import processes
from overlap.stages import analyse, inputs, predict, report, thumbnails, train
from overlap.study.study import Study
from overlap.workdir import layout, timings

STAGES = ('train', 'predict', 'analyse', 'report')


def run_stages(
  study: Study, stages: Sequence[str], model: str | None = None
) -> epath.Path | None:
  """Runs stages in order; returns the report's path if it is made.

  Args:
    study: study to run.
    stages: some of 'train', 'predict', 'analyse' and 'report'; 'analyse' or
      'report' alone is run even if nothing has changed.
    model: name of the only model to train and predict; None for all.
  """
  began, start = layout.now(), time.monotonic()
  page = _stages(study, stages, model)
  if processes.is_primary():
    added = [
      entry
      for entry in timings.read_timings(study.path)['stages']
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
  inputs.check_inputs(study, stages, model)
  if 'train' in stages:
    train.train(study, model)
  if 'predict' in stages:
    predict.predict_all(study, model)
  if 'analyse' in stages:
    request = analyse.study_request(study.path, study.config)
    study.begin()
    analyse.analyse(study.path, request, again=len(stages) == 1)
  if 'report' in stages:
    report.require_tables(study.path)
    if 'analyse' not in stages:
      report.warn_if_stale(study.path)
    study.begin()
    thumbnails.write_thumbnails(study)
    page = report.write_report(study.path, again=len(stages) == 1)
  return page

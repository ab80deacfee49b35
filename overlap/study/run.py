"""All stages of a study, in their order."""

from collections.abc import Sequence

from etils import epath

from overlap.study import prediction, results, thumbnails, training
from overlap.study.study import Study


def run(
  study: Study, stages: Sequence[str], model: str | None = None
) -> epath.Path | None:
  """Runs stages in their order; returns the report's path where it is made.

  Args:
    study: checked and bound to its folder.
    stages: of 'train', 'predict', 'analyse' and 'report'; 'analyse' alone is
      done even where nothing has changed.
    model: train and predict this one alone.
  """
  page = None
  if 'train' in stages:
    training.train(study, model)
  if 'predict' in stages:
    prediction.predict_all(study, model)
  if 'analyse' in stages:
    request = results.study_request(study.path, study.config)
    results.analyse(study.path, request, again=len(stages) == 1)
  if 'report' in stages:
    thumbnails.make(study)
    page = results.write_report(study.path)
  return page

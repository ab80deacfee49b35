"""Options of a study's modules, including those implied by their weights."""

from typing import Any

from overlap.models import checkpoints
from overlap.models.checkpoints import hub
from overlap.study import specs
from overlap.study.study import Study
from overlap.workdir import layout, model_file


def options(study: Study, name: str, *, fetch: bool = True) -> dict[str, Any]:
  """Returns the options of a model's module.

  Args:
    study: the study.
    name: name of the model.
    fetch: whether weights may be downloaded; if not, options that only they
      imply are left out.

  Raises:
    UsageError, DataError: see `checkpoints.follow`; or model.json is damaged.
  """
  settings = study.config['models'][name]
  given = dict(settings['architecture']['options'])
  path = settings['init']['checkpoint']
  if not path:
    return given
  # After loading, the weight file may no longer exist.
  done = model_file.read_model_file(layout.model_folder(study.path, name)) or {}
  made_by = specs.training_hash(study.config, name, study.dataset)
  if 'options' in done and done['training_hash'] == made_by:
    return dict(done['options'])
  if path.startswith(hub.SCHEME) and not fetch:
    return given
  return checkpoints.follow(settings['architecture']['name'], path, given)

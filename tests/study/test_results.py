"""What is checked of a study's analyses before anything is run."""

import pytest

from overlap import config, errors
from overlap.study import results


@pytest.mark.parametrize('name', ['pairs', 'contrast'])
def test_a_misspelt_model_of_a_view_is_found_before_training(name):
  study = config.study()
  study.data.dataset = 'mnist_5k'
  for model in ('base', 'vit'):
    study.models[model] = config.model('vit')
  study.analyses.specialisation[name] = 'base:vit'
  results.check(config.resolve(study))
  study.analyses.specialisation[name] = 'base:vitt'
  with pytest.raises(errors.UsageError, match="Did you mean 'vit'"):
    results.check(config.resolve(study))

"""Models that the search for ensembles names are checked before training."""

import pytest

from overlap import config as overlap_config
from overlap import errors
from overlap.study import results


@pytest.mark.parametrize('field', ['starts', 'pool', 'candidates'])
def test_models_of_the_search_are_models_of_the_study(field):
  config = overlap_config.study()
  config.data.dataset = 'mnist_5k'
  config.models.base = overlap_config.model('resnet', width=8)
  config.models.wide = overlap_config.model('resnet', width=16)
  config.analyses.greedy[field] = ('wide',)
  results.check(overlap_config.resolve(config))
  config.analyses.greedy[field] = ('base', 'wdie')
  with pytest.raises(errors.UsageError, match=rf"greedy\.{field}.*'wide'"):
    results.check(overlap_config.resolve(config))

"""Models that the search for ensembles names are checked before training."""

import pytest

from overlap.config import schema
from overlap.core import errors
from overlap.stages import analyse


@pytest.mark.parametrize('field', ['starts', 'pool', 'candidates'])
def test_models_of_the_search_are_models_of_the_study(field):
  config = schema.study()
  config.data.dataset = 'mnist_5k'
  config.models.base = schema.model('resnet', width=8)
  config.models.wide = schema.model('resnet', width=16)
  config.analyses.greedy[field] = ('wide',)
  analyse.check_analyses(schema.resolve(config))
  config.analyses.greedy[field] = ('base', 'wdie')
  with pytest.raises(errors.UsageError, match=rf"greedy\.{field}.*'wide'"):
    analyse.check_analyses(schema.resolve(config))

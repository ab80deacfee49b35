"""What is checked of a study's analyses before anything is run."""

import pytest

from overlap import ingest
from overlap.config import schema
from overlap.core import errors
from overlap.stages import analyse, plan
from overlap.study.preview import Preview


@pytest.mark.parametrize('name', ['pairs', 'contrast'])
def test_a_misspelt_model_of_a_view_is_found_before_training(name):
  study = schema.study()
  study.data.dataset = 'mnist_5k'
  for model in ('base', 'vit'):
    study.models[model] = schema.model('vit')
  study.analyses.specialisation[name] = 'base:vit'
  analyse.check_analyses(schema.resolve(study))
  study.analyses.specialisation[name] = 'base:vitt'
  with pytest.raises(errors.UsageError, match="Did you mean 'vit'"):
    analyse.check_analyses(schema.resolve(study))


@pytest.fixture
def digits(tmp_path):
  """A workdir with predictions of one model on MNIST's digits."""
  (tmp_path / 'labels.csv').write_text('id,label\na,0\nb,1\n')
  (tmp_path / 'm.csv').write_text('id,predicted\na,0\nb,1\n')
  ingest.ingest(
    ingest.Request(
      workdir=tmp_path / 'w', dataset='mnist_5k', split='test',
      predictions=str(tmp_path / 'm.csv'),
      labels=str(tmp_path / 'labels.csv'),
    )
  )  # fmt: skip
  return tmp_path / 'w'


def stored(dataset):
  """A study of that one model, on a data set or on MNIST's digits."""
  study = schema.study()
  study.base = 'm'
  study.data.dataset, study.data.fallback = dataset, 'mnist_5k'
  study.models.m = schema.model('')
  study.models.m.source = 'store'
  return schema.resolve(study)


def test_what_is_stored_of_the_fallback_is_taken_for_what_is_fetched(digits):
  study = stored('fashion_mnist')
  assert analyse.stored_dataset(digits, study) == 'mnist_5k'
  found = plan.make_plan(Preview(study, digits), ['analyse'])
  assert [row.does for row in found.rows] == ['there']


@pytest.mark.parametrize('dataset', ['image_folder:/none', 'shapes'])
def test_what_is_stored_of_the_fallback_is_taken_for_nothing_else(
  digits, dataset
):
  study = stored(dataset)
  with pytest.raises(errors.DataError, match=f'predictions on {dataset}/test'):
    analyse.stored_dataset(digits, study)
  found = plan.make_plan(Preview(study, digits), ['train'])
  assert [row.does for row in found.rows] == ['to be brought']

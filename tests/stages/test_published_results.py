"""Published figures, recomputed; those of CIFAR-10.1 from its predictions."""

import json
import shutil

import numpy as np
import pytest

from overlap.core import errors
from overlap.stages import published_results
from overlap.stages.published_results import Anchor


def anchor(expected, got, digits) -> Anchor:
  return Anchor('a', expected, got, digits, '', 's')


@pytest.mark.parametrize(
  ('expected', 'got', 'digits', 'holds'),
  [
    (0.988, 0.98801, 3, True),
    (0.988, 0.98749, 3, False),
    (0.988, 0.98851, 3, False),
    (2.08, 2.0749, 2, False),
    (2.08, 2.0851, 2, False),
    (2.08, 2.085, 2, True),  # A tie may be rounded to either side.
    (2.08, 2.075, 2, True),
    (2.08, float('nan'), 2, False),
  ],
)
def test_holds(expected, got, digits, holds):
  assert anchor(expected, got, digits).holds is holds


def test_the_papers_figures_are_reproduced():
  found = list(published_results.of_paper())
  assert [a.name for a in found if not a.holds] == []
  assert len(found) == 11
  assert found[0].expected == 0.988
  assert abs(found[0].got - 0.98801) < 1e-4


@pytest.fixture
def cifar10_1(test_data):
  folder = test_data / 'cifar10_1'
  if not folder.is_dir():
    pytest.skip(f'no predictions of CIFAR-10.1: {folder} is absent')
  return folder


def test_the_figures_of_cifar10_1_are_reproduced(cifar10_1):
  found = list(published_results.of_cifar10_1(cifar10_1))
  assert all(isinstance(item, Anchor) for item in found), found
  assert [a.name for a in found if not a.holds] == []
  assert len(found) == 7


def test_its_figures_are_those_of_the_files(cifar10_1):
  """Counted here from the files, without any of the project's code."""

  def correct(split, model):
    name = 'cifar10_test' if split == 'original' else f'cifar10.1_{split}'
    labels = np.load(cifar10_1 / f'{name}_labels.npy')
    path = cifar10_1 / f'{split}_predictions' / f'{model}_predictions.json'
    return np.array(json.loads(path.read_text())) == labels

  got = {a.name: a.got for a in published_results.of_cifar10_1(cifar10_1)}
  vgg = correct('v4', 'vgg16_keras').mean()
  assert np.isclose(got['accuracy of vgg16_keras on CIFAR-10.1 v4'], 100 * vgg)
  for split, place in (('original', 'CIFAR-10'), ('v4', 'CIFAR-10.1 v4')):
    for model in ('wrn_28_10', 'shake_shake_26_2x64d_SSI'):
      gain = 100 * (
        correct(split, f'{model}_cutout16').mean()
        - correct(split, model).mean()
      )
      name = f'what Cutout adds to {model} on {place}'
      assert abs(got[name] - gain) < 0.011  # Of two roundings to 0.01.
  models = [
    path.name.removesuffix('_predictions.json')
    for path in sorted((cifar10_1 / 'original_predictions').iterdir())
  ]
  assert len(models) == 30
  right = np.array([correct('original', model) for model in models])
  differ = [np.mean(right[i] != right[j]) for i in range(30) for j in range(i)]
  name = 'error inconsistency of 435 pairs on CIFAR-10'
  assert np.isclose(got[f'least {name}'], min(differ))
  assert np.isclose(got[f'most {name}'], max(differ))


def test_what_is_missing_is_told(cifar10_1, tmp_path):
  """A folder with two models of v4, one of them without its Cutout."""
  shutil.copy(cifar10_1 / 'cifar10.1_v4_labels.npy', tmp_path)
  (tmp_path / 'v4_predictions').mkdir()
  for model in ('vgg16_keras', 'wrn_28_10'):
    name = f'v4_predictions/{model}_predictions.json'
    shutil.copy(cifar10_1 / name, tmp_path / name)
  text, holds = published_results.report(tmp_path)
  assert holds
  lines = text.splitlines()
  assert lines[-1] == '12 of 18 figures reproduced, 6 skipped'
  skipped = [line for line in lines if line.startswith('skipped: ')]
  assert any('no predictions of wrn_28_10_cutout16' in x for x in skipped)
  assert any('original_predictions is absent' in x for x in skipped)
  assert any('v6_predictions is absent' in x for x in skipped)


def test_predictions_that_were_changed_are_off(cifar10_1, tmp_path):
  shutil.copytree(cifar10_1, tmp_path / 'c')
  path = tmp_path / 'c' / 'v4_predictions' / 'vgg16_keras_predictions.json'
  path.chmod(0o644)
  path.parent.chmod(0o755)
  values = json.loads(path.read_text())
  values[:5] = [(value + 1) % 10 for value in values[:5]]
  path.write_text(json.dumps(values))
  text, holds = published_results.report(tmp_path / 'c')
  assert not holds
  (line,) = [x for x in text.splitlines() if x.startswith('OFF')]
  assert 'accuracy of vgg16_keras on CIFAR-10.1 v4' in line
  assert text.endswith('17 of 18 figures reproduced')


@pytest.mark.parametrize('make', [False, True])
def test_a_folder_without_anything(tmp_path, make):
  if make:
    (tmp_path / 'c').mkdir()
  found = list(published_results.of_cifar10_1(tmp_path / 'c'))
  assert found
  assert all(isinstance(item, str) for item in found)
  text, holds = published_results.report(tmp_path / 'c')
  assert not holds
  assert text.endswith(
    f'11 of 18 figures reproduced, 7 skipped: {tmp_path}/c gave none'
  )


def test_a_damaged_file(tmp_path):
  folder = tmp_path / 'v4_predictions'
  folder.mkdir()
  np.save(tmp_path / 'cifar10.1_v4_labels.npy', np.arange(10))
  (folder / 'a_predictions.json').write_text('[1, 2')
  with pytest.raises(errors.DataError, match='must be readable as JSON'):
    published_results.report(tmp_path)


def test_without_a_folder_the_papers_figures_alone():
  text, holds = published_results.report(None)
  assert holds
  assert text.endswith('11 of 18 figures reproduced, 7 skipped')
  assert '--anchors names no folder' in text

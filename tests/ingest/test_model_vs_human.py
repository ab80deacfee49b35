"""model-vs-human's trials: right where the response is the category."""

import numpy as np
import pytest

from overlap import errors, store
from overlap.ingest import model_vs_human

NAMES = ['oven', 'dog', 'cat', 'dog', 'oven']
RESPONSES = ['oven', 'cat', 'cat', 'dog', 'dog']


def trials(case, name='m.csv', who='resnet50', observer='dnn', **change):
  rows = len(NAMES)
  columns = {
    'subj': [who] * rows,
    'session': [1] * rows,
    'trial': range(1, rows + 1),
    'rt': [np.nan] * rows,
    'object_response': RESPONSES,
    'category': NAMES,
    'condition': ['cr'] * rows,
    'imagename': [
      f'{i:04}_cl_{observer}_cr_{n}_40_n{i}.png' for i, n in enumerate(NAMES)
    ],
  }
  return case.csv(name, **(columns | change))


@pytest.fixture
def case(make):
  return make()


def test_read(case):
  found = model_vs_human.read(str(trials(case)))
  assert found.predicted.tolist() == RESPONSES
  assert found.labels.tolist() == NAMES
  assert found.class_names == ('cat', 'dog', 'oven', 'na')
  assert found.ids[0] == 'cl_cr_oven_40_n0.png'


def test_a_model_and_a_person_in_another_order(case):
  case.ingest(trials(case), format='model-vs-human')
  order = [4, 2, 0, 1, 3]
  names = [NAMES[i] for i in order]
  path = trials(
    case, 'p.csv', who='subject-01',
    object_response=['na', 'cat', 'oven', 'dog', 'dog'], category=names,
    imagename=[f'{9 - i:04}_cl_s01_cr_{NAMES[i]}_40_n{i}.png' for i in order],
  )  # fmt: skip
  case.ingest(path, format='model-vs-human')
  examples = store.Store(case.workdir).examples('shapes', 'test')
  right = {
    model: (case.read(model, 'predicted') == examples.labels).tolist()
    for model in case.models()
  }
  assert right == {
    'm': [r == n for r, n in zip(RESPONSES, NAMES, strict=True)],
    'p': [True, True, True, True, False],
  }


@pytest.mark.parametrize(
  ('name', 'expected'),
  [
    ('0001_cl_dnn_cr_oven_40_n1.png', 'cl_cr_oven_40_n1.png'),
    ('0012_cl_s04_cr_oven_40_n1.png', 'cl_cr_oven_40_n1.png'),
    ('oven_1.png', 'oven_1.png'),
  ],
)
def test_ids_of_images(name, expected):
  assert model_vs_human.image_id(name) == expected


@pytest.mark.parametrize(
  ('change', 'got'),
  [
    ({'subj': ['a', 'a', 'b', 'c', 'a']}, 'got those of 3, among them a and b'),
    (
      {'object_response': ['hat', *RESPONSES[1:]]},
      r"among the 4 classes \(cat, dog, oven, na\), got 1 other names.*'hat'",
    ),
    ({'imagename': ['x'] * 5}, "1 more than once, among them 'x'"),
    ({'imagename': [''] * 5}, 'must not be empty'),
  ],
)
def test_what_is_refused(case, change, got):
  with pytest.raises(errors.DataError, match=got):
    case.ingest(trials(case, **change), format='model-vs-human')
  assert not case.workdir.exists()


def test_other_images_than_the_models(case, refused):
  case.ingest(trials(case), format='model-vs-human')
  names = [f'image {i}' for i in range(5)]
  path = trials(case, 'p.csv', imagename=names)
  text = refused(
    case, errors.DataError, case.ingest, path, format='model-vs-human'
  )
  assert '5 missing' in text
  assert "5 extra ('image 0', 'image 1', 'image 2', ...); 0 repeated" in text

"""model-vs-human's trials: right where the response is the category."""

import numpy as np
import pandas as pd
import pytest

from overlap import store
from overlap.analyses import run
from overlap.core import errors
from overlap.ingest import model_vs_human

FORMAT = 'model-vs-human'
NAMES = ['oven', 'dog', 'cat', 'dog', 'oven']
RESPONSES = ['oven', 'cat', 'cat', 'dog', 'dog']


def columns(who='resnet50', observer='dnn', condition='cr', **change):
  rows = len(NAMES)
  one = isinstance(condition, str)
  conditions = [condition] * rows if one else condition
  return {
    'subj': [who] * rows,
    'session': [1] * rows,
    'trial': range(1, rows + 1),
    'rt': [np.nan] * rows,
    'object_response': RESPONSES,
    'category': NAMES,
    'condition': conditions,
    'imagename': [
      f'{i:04}_cl_{observer}_{c}_{n}_40_n0{i}_7.png'
      for i, (n, c) in enumerate(zip(NAMES, conditions))
    ],
  } | change


def trials(case, name='m.csv', *parts, **change):
  """Writes the trials of `columns`, or several of them in one file."""
  parts = parts or [columns(**change)]
  frame = pd.concat([pd.DataFrame(part) for part in parts])
  frame.to_csv(case.folder / name, index=False)
  return case.folder / name


def splits(case):
  return sorted(split for _, split in store.Store(case.workdir).splits())


def predicted(case, model, split='test'):
  return store.Store(case.workdir).read('shapes', split, model, 'predicted')


@pytest.fixture
def case(make):
  return make()


def test_read(case):
  found = model_vs_human.read_trials(str(trials(case)))
  assert found.predicted.tolist() == RESPONSES
  assert found.labels.tolist() == NAMES
  assert found.class_names == ['cat', 'dog', 'oven']
  assert found.ids[0] == 'n00_7.png'
  assert set(found.observers) == {'resnet50'}
  assert set(found.conditions) == {'cr'}


def test_a_model_and_a_person_in_another_order(case):
  case.ingest(trials(case), format=FORMAT)
  order = [4, 2, 0, 1, 3]
  names = [NAMES[i] for i in order]
  path = trials(
    case, 'p.csv', who='subject-01',
    object_response=['na', 'cat', 'oven', 'dog', 'dog'], category=names,
    imagename=[
      f'{9 - i:04}_cl_s01_cr_{NAMES[i]}_40_n0{i}_7.png' for i in order
    ],
  )  # fmt: skip
  case.ingest(path, format=FORMAT)
  examples = store.Store(case.workdir).examples('shapes', 'test')
  right = {
    model: (case.read(model, 'predicted') == examples.labels).tolist()
    for model in case.models()
  }
  assert right == {
    'resnet50': [r == n for r, n in zip(RESPONSES, NAMES, strict=True)],
    'subject-01': [True, True, True, True, False],
  }


def test_no_answer_is_no_class(case):
  """It is wrong, and two of them are no same wrong class."""
  answers = ['na', 'na', 'cat', 'cat', 'dog']
  parts = [columns(who=who, object_response=answers) for who in ('one', 'two')]
  case.ingest(trials(case, 'm.csv', *parts), format=FORMAT)
  assert predicted(case, 'one').tolist() == [-1, -1, 0, 0, 1]
  assert list(store.check_store(case.workdir)) == []
  pairs = run.analyse(
    workdir=case.workdir, dataset='shapes', split='test', base='one',
    options={'tables': ['pairs'], 'resamples': 0},
  )['pairs'].iloc[0]  # fmt: skip
  assert (pairs['both_correct'], pairs['neither']) == (1, 4)
  assert pairs['same_wrong'] == 2
  assert pairs['agreement_when_wrong'] == 0.5
  assert pairs['disagreement'] == 0.4


@pytest.mark.parametrize(
  ('name', 'expected'),
  [
    ('0001_cl_dnn_cr_oven_40_n0111_7.png', 'n0111_7.png'),
    ('0012_cl_s04_cr_oven_40_n0111_7.png', 'n0111_7.png'),
    ('0001_eid_s02_1-10-10_oven_10_n0111_7.png', 'n0111_7.png'),
    ('0003_edg_s01_0_oven_00_oven10.png', 'oven10.png'),
    ('0003_s5n_s10_0_oven_00_oven1-dog2.png', 'oven1-dog2.png'),
    ('oven10.png', 'oven10.png'),
    ('oven_1.png', 'oven_1.png'),
  ],
)
def test_ids_of_images(name, expected):
  assert model_vs_human.image_id(name) == expected


def test_people_and_models_meet_where_models_have_short_names(case):
  short = [f'{name}{i}.png' for i, name in enumerate(NAMES)]
  model = columns(condition='NaN', imagename=short)
  person = columns(
    'subject-01',
    condition='0',
    imagename=[
      f'{i:04}_edg_s01_0_{name}_00_{name}{i}.png'
      for i, name in enumerate(NAMES)
    ],
  )
  case.ingest(trials(case, 'a.csv', model), format=FORMAT)
  case.ingest(trials(case, 'b.csv', person), format=FORMAT)
  assert splits(case) == ['test']
  assert case.models() == ['resnet50', 'subject-01']


def test_each_condition_is_a_split(case):
  parts = [
    columns(who, condition=condition, object_response=responses)
    for who, condition, responses in [
      ('one', 'c5', RESPONSES), ('one', 'c10', NAMES),
      ('two', 'c5', NAMES), ('two', 'c10', RESPONSES),
    ]
  ]  # fmt: skip
  path = trials(case, 'm.csv', *parts)
  made = case.ingest(path, format=FORMAT)
  assert [(m.record['split'], m.record['model']) for m in made] == [
    ('test/c5', 'one'), ('test/c5', 'two'),
    ('test/c10', 'one'), ('test/c10', 'two'),
  ]  # fmt: skip
  right = [NAMES.index(name) for name in NAMES]
  assert len(right) == len(predicted(case, 'one', 'test/c5'))
  np.testing.assert_array_equal(
    predicted(case, 'one', 'test/c5'), predicted(case, 'two', 'test/c10')
  )
  np.testing.assert_array_equal(
    predicted(case, 'one', 'test/c10'), predicted(case, 'two', 'test/c5')
  )
  assert not any(m.new for m in case.ingest(path, format=FORMAT))
  # A file of one condition that is there joins it.
  later = trials(case, 'n.csv', who='three', condition='c10')
  case.ingest(later, format=FORMAT)
  assert splits(case) == ['test/c10', 'test/c5']
  assert case.ingest(later, format=FORMAT, model='again')[0].new


@pytest.mark.parametrize(
  ('asked', 'expected'),
  [('c5', ['test/c5']), ('c10,c1', ['test/c1', 'test/c10'])],
)
def test_conditions_that_are_asked_for(case, asked, expected):
  parts = [columns(condition=name) for name in ('c1', 'c5', 'c10')]
  path = trials(case, 'm.csv', *parts)
  case.ingest(path, format=FORMAT, condition=asked)
  assert splits(case) == expected


def test_a_folder_of_files(case):
  for who in ('one', 'two'):
    parts = [columns(who, condition=name) for name in ('c1', 'c5')]
    trials(case, f'set_{who}_session-1.csv', *parts)
  case.ingest(case.folder, format=FORMAT)
  reader = store.Store(case.workdir)
  for split in ('test/c1', 'test/c5'):
    assert reader.models('shapes', split) == ['one', 'two']


@pytest.mark.parametrize(
  ('change', 'got'),
  [
    (
      {'object_response': ['hat', *RESPONSES[1:]]},
      r"among the 3 classes \(cat, dog, oven\), got 1 other names.*'hat'",
    ),
    ({'imagename': ['x'] * 5}, "1 more than once, among them 'x'"),
    ({'imagename': [''] * 5}, 'must not be empty'),
    ({'condition': ['a', 'a', 'NaN', 'a', 'b']}, '1 file with trials that'),
  ],
)
def test_what_is_refused(case, change, got):
  with pytest.raises(errors.DataError, match=got):
    case.ingest(trials(case, **change), format=FORMAT)
  assert not case.workdir.exists()


def test_a_fault_in_the_last_condition_leaves_nothing(case):
  first, last = columns(condition='c1'), columns(condition='c2')
  last['imagename'] = ['x'] * 5
  with pytest.raises(errors.DataError, match='more than once'):
    case.ingest(trials(case, 'm.csv', first, last), format=FORMAT)
  assert not case.workdir.exists()


def test_one_name_or_file_for_several(case):
  path = trials(case, 'm.csv', columns('one'), columns('two'))
  with pytest.raises(errors.UsageError, match='names one model, got trials of'):
    case.ingest(path, format=FORMAT, model='m')
  trials(case, 'n.csv', who='two')
  with pytest.raises(errors.DataError, match='must be in one file, got those'):
    case.ingest(case.folder, format=FORMAT)


def test_a_condition_that_is_not_there(case):
  with pytest.raises(errors.UsageError, match=r"'c9'.*cr"):
    case.ingest(trials(case), format=FORMAT, condition='c9')
  with pytest.raises(errors.UsageError, match='files that have conditions'):
    case.ingest(case.npy('m.npy', case.logits), condition='c9')


def test_other_images_than_the_models(case, refused):
  case.ingest(trials(case), format=FORMAT)
  names = [f'image {i}' for i in range(5)]
  path = trials(case, 'p.csv', who='p', imagename=names)
  text = refused(case, errors.DataError, case.ingest, path, format=FORMAT)
  assert '5 missing' in text
  assert "5 extra ('image 0', 'image 1', 'image 2', ...); 0 repeated" in text

"""Predictions from files into the store: what fits, what is refused, kills."""

import os
import subprocess
import sys

import numpy as np
import pytest

from overlap import ingest, store
from overlap.core import errors
from overlap.ingest import run, write


def test_logits_of_every_format_are_stored_bit_by_bit(case, soft):
  ((record, new),) = case.ingest(soft.write(case), format=soft.format)
  assert new
  assert (record['model'], record['kind']) == ('m', 'logits')
  assert (record['source'], record['aligned_by']) == ('ingest', 'id')
  np.testing.assert_array_equal(case.read('m'), case.logits)
  assert not list(store.check_store(case.workdir))


def test_classes_of_every_format_are_stored(case, hard):
  ((record, _),) = case.ingest(hard.write(case), format=hard.format)
  assert record['kind'] == 'classes'
  np.testing.assert_array_equal(case.read('m', 'predicted'), case.predicted)
  np.testing.assert_allclose(
    case.read('m', 'confidence'), case.confidence, rtol=1e-6
  )
  assert set(record['arrays']) == {'predicted', 'confidence'}


def test_permuted_ids_give_the_same_bytes(case, soft):
  _check_permuted(case, soft)


def test_permuted_ids_of_classes_give_the_same_bytes(case, hard):
  _check_permuted(case, hard)


def _check_permuted(case, written):
  case.ingest(written.write(case), format=written.format)
  straight = case.tree()
  order = np.random.default_rng(5).permutation(len(case.ids))
  permuted = written.write(case.in_order(order))
  ((_, new),) = case.ingest(permuted, format=written.format)
  assert not new
  assert case.tree() == straight
  case.ingest(permuted, format=written.format, replace=True)
  chunks = {k: v for k, v in straight.items() if not k.endswith('record.json')}
  again = case.tree()
  assert {k: again[k] for k in chunks} == chunks
  assert again.keys() == straight.keys()


@pytest.mark.parametrize('examples_stored', [True, False])
@pytest.mark.parametrize('same', [True, False])
def test_another_run_was_quicker(case, monkeypatch, same, examples_stored):
  """It stores the model after this run has looked, before it has the lock."""
  if examples_stored:
    case.store_examples()
  paths = [case.folder / f'{name}.npz' for name in ('first', 'second')]
  for path, scale in zip(paths, (1, 1 if same else 2)):
    np.savez(
      path, logits=scale * case.logits, ids=case.ids, labels=case.labels,
      class_names=np.array(case.class_names),
    )  # fmt: skip
  held = run.locks.workdir_lock

  def late(*args, **kwargs):
    monkeypatch.undo()
    case.ingest(paths[0], model='m')
    return held(*args, **kwargs)

  monkeypatch.setattr(run.locks, 'workdir_lock', late)
  if same:
    ((record, new),) = case.ingest(paths[1], model='m')
    assert not new
    assert record['file'] == 'first.npz'
  else:
    with pytest.raises(errors.DataError, match='--replace takes the new ones'):
      case.ingest(paths[1], model='m')
  np.testing.assert_array_equal(case.read('m'), case.logits)


def test_files_without_ids_are_taken_by_row(case, rows):
  ((record, _),) = case.ingest(rows.write(case), format=rows.format)
  assert record['aligned_by'] == 'row order'
  if record['kind'] == 'classes':
    np.testing.assert_array_equal(case.read('m', 'predicted'), case.predicted)
  else:
    np.testing.assert_array_equal(case.read('m'), case.logits)


def test_a_new_split_takes_ids_and_labels_of_the_file(make):
  case = make()
  path = case.csv('m.csv', id=case.ids, label=case.labels, **case.scores())
  case.ingest(path)
  examples = store.Store(case.workdir).examples('shapes', 'test')
  assert examples.ids.tolist() == case.ids.tolist()
  assert examples.labels.tolist() == case.labels.tolist()
  assert examples.class_names == ('0', '1', '2', '3')
  np.testing.assert_array_equal(case.read('m'), case.logits)


def test_the_order_of_a_new_splits_first_file_changes_no_prediction(make):
  case = make()
  order = np.random.default_rng(1).permutation(len(case.ids))
  other = case.in_order(order)
  other.workdir = case.workdir.with_name('w2')
  for one in (case, other):
    one.ingest(
      one.csv('m.csv', id=one.ids, label=one.labels, predicted=one.predicted)
    )
  np.testing.assert_array_equal(
    case.read('m', 'predicted')[order], other.read('m', 'predicted')
  )


def test_without_ids_the_row_order_counts(make):
  case = make()
  labels = case.npy('labels.npy', case.labels)
  ((record, _),) = case.ingest(case.npy('m.npy', case.logits), labels=labels)
  assert record['aligned_by'] == 'row order'
  np.testing.assert_array_equal(case.read('m'), case.logits)
  ids = store.Store(case.workdir).examples('shapes', 'test').ids
  assert ids[0] == '0000000'
  assert len(set(ids)) == len(case.ids)


def test_ids_beside_the_file_take_the_place_of_row_order(case):
  order = np.random.default_rng(3).permutation(len(case.ids))
  path = case.npy('m.npy', case.logits[order])
  ids = case.npy('ids.npy', case.ids[order])
  ((record, _),) = case.ingest(path, ids=str(ids))
  assert record['aligned_by'] == 'id'
  np.testing.assert_array_equal(case.read('m'), case.logits)


@pytest.mark.parametrize('kind', ['prob', 'log_prob'])
def test_probabilities_become_their_logarithms(case, kind):
  case.ingest(case.csv('m.csv', id=case.ids, **case.scores(kind)))
  expected = np.log(case.probabilities.astype(np.float64))
  np.testing.assert_allclose(case.read('m'), expected, rtol=1e-5, atol=1e-6)


def test_many_files_are_a_model_each(case):
  for name in ('b', 'a'):
    case.npy(f'{name}.npy', case.logits)
  folder = [record['model'] for record, _ in case.ingest(case.folder)]
  assert folder == case.models() == ['a', 'b']
  assert [new for _, new in case.ingest(case.folder / '*.npy')] == [False] * 2


def test_files_of_one_name_are_called_after_their_folders(case):
  for seed in (1, 2):
    (case.folder / f'seed {seed}').mkdir()
    case.npy(f'seed {seed}/test.npy', case.logits + seed)
  case.ingest(case.folder / '*' / 'test.npy')
  assert case.models() == ['seed 1', 'seed 2']
  np.testing.assert_array_equal(case.read('seed 2'), case.logits + 2)


def test_what_is_stored_already_is_left_alone(case, soft):
  path = soft.write(case)
  case.ingest(path, format=soft.format, category='ARCH', head='linear')
  stats = {p: p.stat().st_mtime_ns for p in case.workdir.rglob('*')}
  for fields in ({}, {'category': 'ARCH'}):
    ((record, new),) = case.ingest(path, format=soft.format, **fields)
    assert not new
    assert record['category'] == 'ARCH'
  assert {p: p.stat().st_mtime_ns for p in case.workdir.rglob('*')} == stats


@pytest.mark.parametrize('change', ['score', 'classes', 'category', 'kind'])
def test_other_predictions_of_a_model_need_replace(case, refused, change):
  case.ingest(case.npy('m.npy', case.logits))
  logits, fields = case.logits.copy(), {}
  if change == 'score':
    logits[-1, -1] = np.nextafter(logits[-1, -1], np.float32(np.inf))
  path = case.npy('m.npy', logits)
  if change == 'classes':
    path = case.npy('m.npy', case.predicted)
  elif change == 'category':
    fields['category'] = 'ARCH'
  elif change == 'kind':
    path = case.csv('m.csv', id=case.ids, **case.scores('log_prob'))
  text = refused(case, errors.DataError, case.ingest, path, **fields)
  assert "got other things for 1: 'm'" in text
  assert '--replace' in text
  case.ingest(path, replace=True, **fields)
  record = store.Store(case.workdir).record('shapes', 'test', 'm')
  assert record['category'] == fields.get('category', '')
  if change == 'score':
    np.testing.assert_array_equal(case.read('m'), logits)
  assert not list(store.check_store(case.workdir))


def test_nothing_of_many_is_stored_when_one_is_refused(case, refused):
  case.ingest(case.npy('b.npy', case.logits))
  for name in 'abc':
    case.npy(f'{name}.npy', case.logits + 1)
  text = refused(case, errors.DataError, case.ingest, case.folder)
  assert "for 1: 'b'" in text
  case.ingest(case.folder, replace=True)
  assert case.models() == ['a', 'b', 'c']


def test_nothing_of_many_is_stored_when_one_is_damaged(make, refused):
  case = make()
  labels = str(case.npy('labels.npy', case.labels))
  (case.folder / 'm').mkdir()
  case.npy('m/a.npy', case.logits)
  case.npy('m/b.npy', case.logits[:-1])
  text = refused(
    case, errors.DataError, case.ingest, case.folder / 'm', labels=labels
  )
  assert '--labels must have one for each of the 22 rows' in text
  assert 'b.npy, got 23' in text
  assert not case.workdir.exists()


# What is wrong with a request, and what its text must tell.
BAD_REQUESTS = {
  'workdir': ({'workdir': ''}, '--workdir must be given, got nothing'),
  'dataset': ({'dataset': ''}, '--dataset must be given, got nothing'),
  'split': ({'split': ''}, '--split must be given, got nothing'),
  'format': ({'format': 'tim'}, "Did you mean 'timm'"),
  'kind': ({'kind': 'logit'}, "Did you mean 'logits'"),
  'category': ({'category': 'ARCHITECTURE'}, 'Choices: REINIT, HPARAM'),
  'scores as classes': ({'kind': 'classes'}, 'which holds scores, got classes'),
  'long name': ({'model': 'm' * 300}, 'at most 200 characters on disk'),
  'suffix of labels': ({'labels': 'l.xls'}, "got 'l.xls'"),
  'suffix of ids': ({'ids': 'ids'}, '--ids must be a file of one of'),
  'suffix of names': ({'class_names': 'n.csv'}, '.txt, .json, got'),
}


@pytest.mark.parametrize(
  ('fields', 'match'), BAD_REQUESTS.values(), ids=BAD_REQUESTS
)
def test_bad_requests(case, refused, fields, match):
  path = case.npy('m.npy', case.logits)
  text = refused(case, errors.UsageError, case.ingest, path, **fields)
  assert match in text


def test_one_name_for_several_files(case, refused):
  for name in 'ab':
    case.npy(f'{name}.npy', case.logits)
  text = refused(case, errors.UsageError, case.ingest, case.folder, model='m')
  assert 'got 2 files' in text


def test_files_whose_names_and_folders_are_alike(case, refused):
  for path in ('x/s', 'y/s'):
    (case.folder / path).mkdir(parents=True)
    case.npy(f'{path}/m.npy', case.logits)
  pattern = case.folder / '*' / '*' / 'm.npy'
  text = refused(case, errors.UsageError, case.ingest, pattern)
  assert "among them 's'" in text


def test_both_the_file_and_the_flag_give_ids(case, refused):
  path = case.csv('m.csv', id=case.ids, predicted=case.predicted)
  ids = str(case.npy('ids.npy', case.ids))
  text = refused(case, errors.UsageError, case.ingest, path, ids=ids)
  assert '--ids must be given only for predictions without ids' in text


def test_other_names_of_classes(case, refused):
  path = case.npy('m.npy', case.logits)
  names = str(case.file('names.txt', 'a\nb\nc\nd\n'))
  text = refused(case, errors.DataError, case.ingest, path, class_names=names)
  assert 'class 0, class 1, class 2, class 3, got a, b, c, d' in text


def test_a_workdir_that_is_a_file(case, refused):
  path = case.npy('m.npy', case.logits)
  labels = str(case.npy('labels.npy', case.labels))
  blocked = case.file('blocked', 'x')
  text = refused(
    case, errors.DataError, case.ingest, path, labels=labels, workdir=blocked
  )
  assert 'must be writable' in text
  assert blocked.read_text() == 'x'


def test_a_fault_half_way_through_leaves_nothing(case, refused, monkeypatch):
  """Where one file is read once, its fault shows when half is written."""
  monkeypatch.setattr('overlap.ingest.source.BLOCK_BYTES', 64)
  logits = case.logits.copy()
  logits[-1] = np.nan
  text = refused(case, errors.DataError, case.ingest, case.npy('m.npy', logits))
  assert 'in 1 of 23 rows, first in row 22' in text
  assert os.listdir(case.workdir / 'predictions/shapes/test') == ['examples']


def test_an_error_of_the_disk_half_way_leaves_nothing(case, monkeypatch):
  def tracked(blocks, *_):
    yield next(blocks)
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(write, '_tracked', tracked)
  before = case.tree()
  with pytest.raises(OSError, match='No space'):
    case.ingest(case.npy('m.npy', case.logits))
  assert case.tree() == before
  assert case.models() == []


_SLOWLY = """
import sys, time
from overlap import ingest
from overlap.ingest import run, write
tracked = write._tracked
def slow(blocks, rows, model):
  for item in tracked(blocks, rows, model):
    yield item
    if model == 'b':
      print('half', flush=True)
      time.sleep(60)
write._tracked = slow
ingest.ingest(ingest.Request(
  workdir=sys.argv[1], dataset='shapes', split='test',
  predictions=sys.argv[2], by_order=True))
"""


def test_a_killed_run_leaves_whole_models_and_can_be_done_again(case):
  folder = case.folder / 'm'
  folder.mkdir()
  for name in 'abc':
    case.npy(f'm/{name}.npy', case.logits)
  process = subprocess.Popen(
    [sys.executable, '-c', _SLOWLY, str(case.workdir), str(folder)],
    env={**os.environ, 'PYTHONPATH': os.pathsep.join(p for p in sys.path if p)},
    stdout=subprocess.PIPE,
    text=True,
  )
  assert process.stdout.readline() == 'half\n'
  process.kill()
  process.communicate()
  assert case.models() == ['a']
  assert not list(store.check_store(case.workdir))
  assert [new for _, new in case.ingest(folder)] == [False, True, True]
  for name in 'abc':
    np.testing.assert_array_equal(case.read(name), case.logits)
  left = os.listdir(case.workdir / 'predictions/shapes/test')
  assert sorted(left) == ['a', 'b', 'c', 'examples']


def test_memory_is_bounded(tmp_path):
  """100 MB of permuted logits pass through; the process grows by less."""
  code = """
import resource, sys
import numpy as np
from overlap import ingest
def peak():
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
def run(rows):
  folder = f'{sys.argv[1]}/{rows}'
  import os; os.mkdir(folder)
  order = np.random.default_rng(0).permutation(rows)
  file = np.lib.format.open_memmap(
    f'{folder}/m.npy', 'w+', np.float32, (rows, 500))
  for start in range(0, rows, 1000):
    file[start:start + 1000] = order[start:start + 1000, None]
  del file
  np.save(f'{folder}/ids.npy', order.astype(str))
  np.save(f'{folder}/labels.npy', order % 500)
  for replace in (False, True):
    ingest.ingest(ingest.Request(
      workdir=f'{folder}/w', dataset='d', split='s', replace=replace,
      predictions=f'{folder}/m.npy', ids=f'{folder}/ids.npy',
      labels=f'{folder}/labels.npy'))
run(1000)
before = peak()
run(50_000)
print(peak() - before)
"""
  process = subprocess.run(
    [sys.executable, '-c', code, str(tmp_path)],
    env={**os.environ, 'PYTHONPATH': os.pathsep.join(p for p in sys.path if p)},
    stdout=subprocess.PIPE, text=True, check=True,
  )  # fmt: skip
  assert float(process.stdout) < 60


def test_the_package_shows_what_it_can(case):
  assert set(ingest.FORMATS) == {
    'npy', 'npz', 'safetensors', 'csv', 'parquet', 'json', 'timm',
    'model-vs-human', 'imagenet-x', 'cifar10.1',
  }  # fmt: skip
  assert ingest.KINDS[-1] == 'classes'

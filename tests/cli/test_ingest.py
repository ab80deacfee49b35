"""overlap ingest as a user types it."""

import os
import stat

import numpy as np
import pytest

from overlap import store
from overlap.tables import table_io


def test_a_folder_in_one_command(overlap, predictions):
  for model in 'abc':
    predictions.hard(model)
  done = overlap(
    'ingest', *predictions.known, f'--predictions={predictions.folder}'
  )
  assert (done.status, done.err) == (0, '')
  accuracy = {
    model: (predictions.logits[model].argmax(axis=1) == predictions.labels)
    for model in 'abc'
  }
  assert done.out.splitlines() == [
    f'{model}: classes of 300 examples, aligned by id, accuracy '
    f'{right.mean():.4f}'
    for model, right in accuracy.items()
  ]
  again = overlap(
    'ingest', *predictions.known, f'--predictions={predictions.folder}/*.csv'
  )
  assert again.status == 0
  assert again.out.splitlines() == [
    f'{model}: there already, unchanged, accuracy {right.mean():.4f}'
    for model, right in accuracy.items()
  ]


def test_one_model_with_all_that_can_be_said(overlap, predictions):
  done = overlap(
    'ingest', *predictions.known, f'--predictions={predictions.soft("a")}',
    '--model=org/model a', '--category=ARCH', '--method=sup', '--head=linear',
  )  # fmt: skip
  assert done.status == 0
  record = store.Store(predictions.workdir).record(
    'shapes', 'test', 'org/model a'
  )
  assert (record['category'], record['method'], record['head']) == (
    'ARCH', 'sup', 'linear',
  )  # fmt: skip
  assert record['file'] == 'a.npz'
  assert record['format'] == 'npz'


@pytest.mark.slow
def test_models_of_every_kind_take_part_in_what_they_can(overlap, predictions):
  """Logits, classes with confidences, and classes alone in one study."""
  for path, category in (
    (predictions.soft('a'), ''),
    (predictions.soft('b'), 'REINIT'),
    (predictions.hard('c', confidence=predictions.confidence('c')), 'ARCH'),
    (predictions.hard('d'), 'DATASET'),
  ):
    done = overlap(
      'ingest', *predictions.known, f'--predictions={path}',
      f'--category={category}',
    )  # fmt: skip
    assert done.status == 0, done.err
  workdir = predictions.workdir
  done = overlap(
    'analyse', f'--workdir={workdir}', '--base=a', '--resamples=20'
  )
  assert done.status == 0, done.err
  pairs = table_io.read_table(workdir, 'pairs')
  assert len(pairs) == 6
  right = {
    model: logits.argmax(axis=1) == predictions.labels
    for model, logits in predictions.logits.items()
  }
  for pair in pairs.to_dict('records'):
    one, two = right[pair['model_1']], right[pair['model_2']]
    assert pair['only_1'] == (one & ~two).sum()
    assert pair['neither'] == (~one & ~two).sum()
    assert np.isclose(pair['error_inconsistency'], (one != two).mean())
    assert pair['mcnemar_p'] > 0
    both_soft = {pair['model_1'], pair['model_2']} == {'a', 'b'}
    assert np.isfinite(pair['ensemble_accuracy']) == both_soft
  # The angle, of pairs with the base, needs confidences and no logits.
  special = table_io.read_table(workdir, 'specialisation')
  found = set(zip(special['model_1'], special['model_2'], strict=True))
  assert found == {('a', 'b'), ('a', 'c')}
  models = table_io.read_table(workdir, 'models').set_index('model')
  assert models['category'].to_dict() == {
    'a': 'BASE', 'b': 'REINIT', 'c': 'ARCH', 'd': 'DATASET',
  }  # fmt: skip
  assert models['temperature'].notna().to_dict() == {
    'a': True, 'b': True, 'c': False, 'd': False,
  }  # fmt: skip
  assert overlap('verify', f'--workdir={workdir}').status == 0
  done = overlap('report', f'--workdir={workdir}')
  assert done.status == 0
  assert (workdir / 'figures' / 'fig03.png').exists()
  assert (workdir / 'report' / 'index.html').exists()


def test_the_files_order_changes_no_table(overlap, predictions):
  """The same predictions, all rows permuted, in another workdir."""
  made = []
  order = np.random.default_rng(3).permutation(300)
  for permuted in (False, True):
    if permuted:
      predictions.ids = [predictions.ids[i] for i in order]
      for model, logits in predictions.logits.items():
        predictions.logits[model] = logits[order]
      predictions.workdir = predictions.workdir.with_name('permuted')
    for model in 'abd':
      path = predictions.hard(model, confidence=predictions.confidence(model))
      overlap('ingest', *predictions.known, f'--predictions={path}')
    done = overlap(
      'analyse', f'--workdir={predictions.workdir}', '--base=a',
      '--resamples=50',
    )  # fmt: skip
    assert done.status == 0, done.err
    made.append((predictions.workdir / 'tables/pairs.csv').read_bytes())
  assert made[0] == made[1]


def test_what_was_guessed_and_left_out_is_printed(overlap, predictions):
  words = [str(label) for label in predictions.labels]
  words[7] = 'NA'
  path = predictions.folder / 'a.csv'
  rows = zip(predictions.ids, words, predictions.logits['a'].argmax(axis=1))
  lines = ['file,label,predicted', *(f'{i},{x}.0,{p}' for i, x, p in rows)]
  path.write_text('\n'.join(lines).replace('NA.0', 'NA'))
  command = [
    'ingest', f'--workdir={predictions.workdir}', '--dataset=shapes',
    '--split=test', f'--predictions={path}',
  ]  # fmt: skip
  assert "got 'NA' in row 7" in overlap(*command).fault
  done = overlap(*command, '--missing=drop')
  right = predictions.logits['a'].argmax(axis=1) == predictions.labels
  accuracy = (right.sum() - right[7]) / 299
  assert done.out.splitlines() == [
    f'a: classes of 299 examples, aligned by id, accuracy {accuracy:.4f}',
    "a: the ids are in 'file'",
    'a: 1 row of 300 left out, for the data set has no label of the example, '
    'the first row 7',
  ]
  path.write_text('predicted\n' + '0\n' * 299)
  command += ['--model=b']
  assert '--by_order' in overlap(*command).fault
  assert 'row order' in overlap(*command, '--by_order').out


BAD = {
  'no workdir': (['--workdir='], 2, '--workdir must name a folder'),
  'no split': (['--split='], 2, '--split must be given'),
  'no file': (['--predictions='], 2, '--predictions must be given'),
  'absent': (['--predictions=W/none.npy'], 1, 'where there is none'),
  'format': (['--format=mvh'], 2, 'Choices: npy, npz, safetensors'),
  'extension': (['--predictions=F/labels/x.pkl'], 2, 'it is a pickle, which'),
  'kind': (['--kind=prob'], 2, "Did you mean 'probs'"),
  'category': (['--category=arch'], 2, 'Choices: REINIT, HPARAM, ARCH'),
  'labels': (['--labels=F/none.csv'], 1, 'No such file or directory'),
  'flag': (['--modle=m'], 2, 'modle'),
  'positional': (['m.csv'], 2, "takes flags only, got 'm.csv'"),
  'boolean': (['--replace=perhaps'], 2, 'replace'),
}


@pytest.mark.parametrize(('words', 'status', 'told'), BAD.values(), ids=BAD)
def test_bad_input_is_one_line(
  overlap, predictions, untouched, words, status, told
):
  (predictions.folder / 'labels' / 'x.pkl').write_bytes(b'\x80')
  words = [
    word.replace('W/', f'{predictions.workdir}/').replace(
      'F/', f'{predictions.folder}/'
    )
    for word in words
  ]
  path = predictions.hard('a')
  before = untouched(predictions.folder.parent)
  done = overlap('ingest', *predictions.known, f'--predictions={path}', *words)
  assert done.status == status
  assert told in done.fault
  assert done.out == ''
  assert untouched(predictions.folder.parent) == before


def test_ids_that_do_not_fit_are_counted(overlap, predictions, untouched):
  path = predictions.hard('a')
  overlap('ingest', *predictions.known, f'--predictions={path}')
  before = untouched(predictions.workdir)
  predictions.ids[:4] = ['x', 'y', 'image 9', 'image 9']
  done = overlap(
    'ingest', f'--workdir={predictions.workdir}', '--dataset=shapes',
    '--split=test', f'--predictions={predictions.hard("b")}',
  )  # fmt: skip
  assert done.status == 1
  told = "4 missing ('image 0', 'image 1', 'image 2', ...)"
  assert f"{told}; 2 extra ('x', 'y'); 1 repeated ('image 9')" in done.fault
  assert untouched(predictions.workdir) == before


def test_what_is_there_is_replaced_when_asked(overlap, predictions):
  path = predictions.hard('a')
  overlap('ingest', *predictions.known, f'--predictions={path}')
  predictions.logits['a'] = predictions.logits['b']
  path = predictions.hard('a')
  words = ['ingest', *predictions.known, f'--predictions={path}']
  done = overlap(*words)
  assert done.status == 1
  assert '--replace takes the new ones' in done.fault
  assert overlap(*words, '--replace').status == 0
  stored = store.Store(predictions.workdir).read(
    'shapes', 'test', 'a', 'predicted'
  )
  expected = predictions.logits['b'].argmax(axis=1)
  np.testing.assert_array_equal(stored, expected)


def test_nan_is_taken_when_allowed(overlap, predictions):
  predictions.logits['a'][5] = np.nan
  path = predictions.soft('a')
  words = ['ingest', *predictions.known, f'--predictions={path}']
  done = overlap(*words)
  assert done.status == 1
  assert 'in 1 of 300 rows, first in row 5: --allow_nan' in done.fault
  assert overlap(*words, '--allow_nan').status == 0


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write anywhere')
def test_a_workdir_that_must_not_be_written(overlap, predictions):
  predictions.workdir.mkdir()
  predictions.workdir.chmod(stat.S_IRUSR | stat.S_IXUSR)
  path = predictions.hard('a')
  done = overlap('ingest', *predictions.known, f'--predictions={path}')
  assert done.status == 1
  assert 'must be writable' in done.fault

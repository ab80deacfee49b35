"""Damage to any file of a workdir is found, or changes nothing that is read.

One small workdir holds every kind of file. A file at a time is damaged: a byte
flipped, the file emptied, halved or removed. Then

- `overlap verify` names a fault; or it names none, and who reads the file gets
  the very same;
- who reads the file (an analysis, the report, the stage predict) ends with one
  line and exit status 1 that names what to make again; or gets the very same.

Nothing but that passes. What is harmless by construction:

- zarr.json, where a byte changes no more than its spelling: the record says
  what the array must be, and each chunk has a checksum of its own (`verify`
  finds it all the same);
- white space in JSON, likewise;
- files of a checkpoint that hold no number, such as Orbax's own times: what is
  read has the digest of what was saved;
- Parquet tables, figures, the page: nothing reads them but people, and
  `verify` finds it; a lost done.json: what it notes is then not compared;
- times: a damaged file is left out; a lost model.json: the model is as if its
  training had not been through, and is trained again; a lost config.json: the
  page is without it.

OVERLAP_FLIPS=2000 python -m pytest tests/test_corruption.py is the long form.
"""

import os
import pathlib
import random
import shutil

import jax
import numpy as np
import pytest
from etils import epath

from overlap import figures, store
from overlap.cli import main as cli
from overlap.core import errors, files
from overlap.report import provenance
from overlap.stages import analyse, report, verify
from overlap.store import schema
from overlap.tables import table_io
from overlap.train import checkpoint
from overlap.workdir import layout, model_file, timings

DAMAGES = int(os.environ.get('OVERLAP_FLIPS', '80'))
# So many a test: one that takes long ends the process (pyproject.toml).
PART = 100
ROWS, CLASSES = 30, 3
TABLES = ('models', 'pairs', 'similarity')
CONFIG = {'name': 'small', 'report': {'figures': ['fig01']}, 'models': {}}
# What else the report tells.
TOLD = ('config.json', 'tables/analysis.json')
# No one reads them, but people.
FOR_PEOPLE = ('.parquet', '.svg', '.png', '.html', 'figures/fig01.csv')


def fill_store(folder):
  rng = np.random.default_rng(0)
  labels = np.arange(ROWS) % CLASSES
  where = {'dataset': 'shapes', 'split': 'test'}
  store.write_examples(
    folder, **where, labels=labels,
    ids=[f'id-{row}' for row in range(ROWS)], class_names=['a', 'b', 'c'],
  )  # fmt: skip
  scores = rng.normal(size=(3, ROWS, CLASSES)).astype(np.float32)
  scores[:, np.arange(ROWS), labels] += 1
  features = rng.normal(size=(2, ROWS, 5)).astype(np.float32)
  arrays = {
    'base': {'logits': scores[0], 'features': features[0]},
    'other': {'logits': scores[1], 'features': features[1]},
    'hard/labels': {
      'predicted': scores[2].argmax(1).astype(np.int32),
      'confidence': rng.random(ROWS, np.float32),
    },
  }
  for model, values in arrays.items():
    with store.RecordWriter(folder, **where, model=model) as writer:
      for name, value in values.items():
        writer.create(name, shape=value.shape, dtype=value.dtype)
        writer.write(name, 0, value)
      writer.finish({'category': 'ARCH'})


def save_model(folder):
  rng = np.random.default_rng(1)
  variables = {
    'params': {'head': {'kernel': rng.normal(size=(40, 3)).astype('f4')}},
    'batch_stats': {'norm': {'mean': np.ones(3, np.float32)}},
  }
  checkpoint.save_variables(folder / 'checkpoint', variables)
  model_file.write_model_file(
    folder,
    {
      'training_hash': '0123',
      'variables_sha256': checkpoint.digest(checkpoint.named(variables)),
    },
  )


@pytest.fixture(scope='module')
def workdir(tmp_path_factory):
  path = epath.Path(tmp_path_factory.mktemp('damaged') / 'w')
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(schema, 'CHUNK_BYTES', 128)
    layout.bind(path, CONFIG)
    save_model(path / 'models' / 'net')
    fill_store(path)
    analyse.analyse(path, request(path))
    report.write_report(path)
  assert list(verify.faults(path)) == []
  return path


def request(path):
  options = {'tables': TABLES, 'resamples': 20}
  return analyse.store_request(path, None, None, 'base', options=options)


def analysed(path):
  """What the stage analyse reads and makes."""
  store.Store(path).check_complete()
  made = analyse.compute(path, request(path))
  return {name: table_io.to_csv(frame) for name, frame in made.items()}


def reported(path):
  """What the report and the notebook are made from."""
  made = {
    name: table_io.to_csv(frame) for name, frame in figures.load(path).items()
  }
  read = (provenance.read_run_file(path, name) for name in TOLD)
  return made, *read


def loaded(path):
  """What the stage predict reads of a model; None for one to be trained."""
  folder = path / 'models' / 'net'
  done = model_file.read_model_file(folder)
  if done is None:
    return None
  like = {
    'params': {'head': {'kernel': jax.ShapeDtypeStruct((40, 3), 'f4')}},
    'batch_stats': {'norm': {'mean': jax.ShapeDtypeStruct((3,), 'f4')}},
  }
  variables = checkpoint.load_variables(
    folder / 'checkpoint', like, sha256=done['variables_sha256']
  )
  return checkpoint.digest(checkpoint.named(variables))


def timed(path):
  """Whether times can be read, whatever they are."""
  return bool(timings.read_timings(path))


def reader_of(name):
  """Who reads a file, by its path within the workdir; None for nobody."""
  if name.endswith(FOR_PEOPLE) or name in (
    'figures/done.json',
    'report/done.json',
  ):
    return None
  if name.startswith('timings'):
    return timed
  return {'predictions': analysed, 'models': loaded}.get(
    name.split('/')[0], reported
  )


def kind_of(name):
  """Files of one kind are damaged as often as those of another."""
  first, last = name.split('/')[0], name.split('/')[-1]
  if first == 'predictions':
    whose = 'examples' if name.split('/')[3] == 'examples' else 'model'
    return whose, last if last.endswith('.json') else 'chunk'
  return first, pathlib.PurePath(last).suffix


def damaged(rng, content):
  """Yields what a file may be turned into; None for no file."""
  flipped = bytearray(content)
  flipped[rng.randrange(len(flipped))] ^= rng.randrange(1, 256)
  yield bytes(flipped)
  yield b''
  yield content[: len(content) // 2]
  yield None


def named(name):
  """What a message must name, for it to be made again."""
  parts = name.split('/')
  if parts[0] == 'predictions':
    return files.decode_name(parts[3])
  return parts[1] if parts[0] == 'models' else parts[-1]


def contents(path):
  return {
    file.relative_to(path).as_posix(): file.read_bytes()
    for file in sorted(pathlib.Path(path).rglob('*'))
    if file.is_file()
  }


@pytest.mark.slow
@pytest.mark.parametrize('first', range(0, DAMAGES, PART))
def test_no_damage_is_silent(workdir, caplog, first):
  before = contents(workdir)
  kinds = {}
  for name, content in before.items():
    if content:
      kinds.setdefault(kind_of(name), []).append(name)
  rng = random.Random(first)
  sound = {reader: reader(workdir) for reader in (analysed, reported, loaded)}
  sound[timed] = True
  wrong = []
  for trial in range(first, min(first + PART, DAMAGES)):
    name = rng.choice([*kinds.values()][trial % len(kinds)])
    file = pathlib.Path(workdir) / name
    # Mostly flips.
    for content in list(damaged(rng, before[name]))[:: rng.choice((4, 4, 1))]:
      if content is None:
        file.unlink()
      else:
        file.write_bytes(content)
      try:
        said = complaint(workdir, name, sound, lost=content is None)
      finally:
        file.write_bytes(before[name])
      if said:
        wrong.append((name, content and len(content), said))
  assert not wrong
  assert 'Traceback' not in caplog.text
  assert contents(workdir) == before


def complaint(workdir, name, sound, *, lost):
  """What is wrong with how a damaged file is told; '' where all is right."""
  fault = next(verify.faults(workdir), None)
  reader = reader_of(name)
  if reader is None:
    return '' if fault or lost else 'not found'
  got, error = outcome(reader, workdir)
  if error is None:
    without = lost and name in ('config.json', f'models/net/{model_file.FILE}')
    return '' if without or got == sound[reader] else f'read ({fault})'
  told = str(error)
  wanted = {
    'exit status 1': error.exit_status == 1,
    'its name': named(name) in told,
    'what to do': 'again' in told or 'makes it' in told,
    'a fault': fault is not None and '\n' not in fault,
  }
  missing = [what for what, there in wanted.items() if not there]
  return f'lacks {missing}: {told}' if missing else ''


def outcome(act, *arguments):
  """What a function returns, and None; or None, and the error it raises."""
  try:
    return act(*arguments), None
  except errors.OverlapError as error:
    return None, error


@pytest.mark.slow
def test_every_byte_of_every_json_file(workdir):
  """By those who read it, without the arrays."""
  rng = random.Random(1)
  counted = 0
  for name, content in contents(workdir).items():
    own = name.startswith(('config', 'timings', 'tables', 'figures', 'report'))
    is_model = name == f'models/net/{model_file.FILE}'
    if not name.endswith('.json') or not (own or is_model):
      continue
    file = pathlib.Path(workdir) / name
    for place in range(len(content)):
      flipped = bytearray(content)
      flipped[place] ^= rng.randrange(1, 256)
      file.write_bytes(flipped)
      assert list(verify.checksums.faults(file, 'again')), (name, place)
      counted += 1
    file.write_bytes(content)
  assert counted > 2000


def flip(file):
  content = bytearray(file.read_bytes())
  content[len(content) // 2] ^= 1
  file.write_bytes(content)


@pytest.mark.parametrize(
  ('name', 'command', 'text'),
  [
    ('predictions/shapes/test/other/logits/c/1/0', 'analyse', "'other'"),
    ('predictions/shapes/test/hard%2Flabels/record.json', 'analyse',
     "'hard/labels'"),
    ('predictions/shapes/test/examples/labels/c/0', 'analyse', 'labels of the'),
    ('tables/pairs.csv', 'report', 'pairs.csv'),
    ('tables/analysis.json', 'report', 'analysis.json'),
    ('config.json', 'report', 'config.json'),
  ],
)  # fmt: skip
@pytest.mark.slow
def test_commands_end_with_one_line(workdir, capsys, name, command, text):
  before = contents(workdir)
  flip(pathlib.Path(workdir) / name)
  words = [f'--workdir={workdir}']
  words += ['--base=base', '--tables=models'] if command == 'analyse' else []
  try:
    damaged = contents(workdir)
    assert cli.main([command, *words]) == 1
    said = capsys.readouterr().err.splitlines()
    (line,) = [x for x in said if x.startswith('overlap: ')]
    assert said[-1] == line
    assert text in line
    assert 'again' in line
    assert contents(workdir) == damaged
    assert next(verify.faults(workdir))
  finally:
    (pathlib.Path(workdir) / name).write_bytes(before[name])


def _lose(path: pathlib.Path) -> None:
  """Removes a file, or a folder with all it holds."""
  shutil.rmtree(path) if path.is_dir() else path.unlink()


def _make_folder(path: pathlib.Path) -> None:
  path.unlink()
  path.mkdir()


def _make_dangling(path: pathlib.Path) -> None:
  path.unlink()
  path.symlink_to(path.parent / 'nowhere')


def _drop_checksum(path: pathlib.Path) -> None:
  values = files.read_json(path)
  del values['checksum']
  files.write_json(path, values)


@pytest.mark.parametrize(
  ('name', 'damage', 'text'),
  [
    ('tables', _lose, 'tables/analysis.json: absent; `overlap analyse`'),
    ('tables/analysis.json', _lose, 'tables/analysis.json: absent'),
    ('tables/done.json', _lose, 'tables/done.json must exist'),
    ('tables/pairs.csv', _lose, 'tables/pairs.csv: absent'),
    ('tables/pairs.csv', _make_folder, 'pairs.csv: can not be read (Is a dir'),
    ('tables/pairs.parquet', _lose, 'tables/pairs.parquet: absent'),
    ('tables/models.parquet', _make_folder, 'models.parquet: can not be read'),
    ('tables/done.json', _make_folder, 'done.json must be readable'),
    ('tables/done.json', _drop_checksum, 'done.json must match its own'),
    ('tables/analysis.json', _drop_checksum, 'analysis.json must match its'),
    ('figures', _lose, 'figures/done.json: absent; `overlap report`'),
    ('figures/done.json', _lose, 'figures/done.json: absent'),
    ('figures/done.json', _drop_checksum, 'figures/done.json must match its'),
    ('figures/fig01.svg', _lose, 'figures/fig01.svg: absent'),
    ('figures/fig01.svg', _make_folder, 'fig01.svg: can not be read (Is a'),
    ('figures/fig01.svg', _make_dangling, 'figures/fig01.svg: absent'),
    ('report', _lose, 'report/done.json: absent; `overlap report`'),
    ('report/done.json', _lose, 'report/done.json: absent'),
    ('report/index.html', _lose, 'report/index.html: absent'),
    ('report/index.html', _make_folder, 'index.html: can not be read'),
    ('models/net/model.json', _lose, "model.json: absent; delete "),
    ('models/net/model.json', _make_dangling, "train model 'net' again"),
    ('models/net/model.json', _make_folder, 'model.json must be readable'),
    ('models/net/model.json', _drop_checksum, 'model.json must match its own'),
    ('config.json', _drop_checksum, 'config.json must match its own'),
    ('config.json', _make_folder, 'config.json must be readable'),
    ('timings.json', _make_folder, 'timings.json must be readable'),
    ('predictions/shapes/test/other/logits/c/1/0', _make_dangling, "'other'"),
    ('predictions/shapes/test/other/logits/c/1/0', _make_folder, "'other'"),
    ('predictions/shapes/test/other/record.json', _make_dangling, 'no record'),
    ('predictions/shapes/test/other/record.json', _make_folder, 'no record'),
    ('predictions/shapes/test/other/record.json', _drop_checksum, "'other'"),
    ('predictions/shapes/test/examples/record.json', _lose, 'shapes/test'),
  ],
)  # fmt: skip
def test_what_is_lost_or_no_file_is_told_and_the_rest_checked(
  workdir, tmp_path, name, damage, text
):
  copy = tmp_path / 'copy'
  shutil.copytree(workdir, copy, symlinks=True)
  reported(epath.Path(copy))
  (copy / 'timings' / 'other.json').mkdir(parents=True)
  damage(copy / name)
  told = list(verify.faults(copy))
  assert any(text in fault for fault in told), told
  assert all('\n' not in fault for fault in told)
  # What stands beside it is looked at, too.
  assert any('timings/other.json' in fault for fault in told)

"""Tables are made again exactly when something they depend on has changed."""

import shutil

import pytest
from absl import logging

import overlap
from overlap import figures, store
from overlap.core import provenance
from overlap.stages import analyse as stages_analyse
from overlap.stages import report
from overlap.tables import table_io
from overlap.workdir import fingerprints


@pytest.fixture
def workdir(tmp_path, fill_store):
  fill_store(tmp_path)
  return tmp_path


@pytest.fixture
def analyse(workdir, monkeypatch):
  """Analyses; returns whether anything was computed."""
  calls = []
  compute = stages_analyse.compute

  def counted(*arguments, **options):
    calls.append(arguments)
    return compute(*arguments, **options)

  monkeypatch.setattr(stages_analyse, 'compute', counted)

  def run(**options):
    before = len(calls)
    request = stages_analyse.store_request(
      store.Store(workdir).workdir, None, None, 'base',
      options={'tables': ('models', 'pairs'), 'resamples': 10} | options,
    )  # fmt: skip
    stages_analyse.analyse(store.Store(workdir).workdir, request)
    return len(calls) > before

  return run


def test_once(workdir, analyse):
  assert analyse()
  first = (workdir / 'tables' / 'pairs.csv').read_bytes()
  assert not analyse()
  assert (workdir / 'tables' / 'pairs.csv').read_bytes() == first


def test_other_options(analyse):
  assert analyse()
  assert analyse(resamples=20)
  assert analyse()


def test_another_model_and_other_predictions(workdir, analyse, add_model):
  assert analyse()
  add_model(workdir, 'third', 5)
  assert analyse()
  add_model(workdir, 'third', 6, replace=True)
  assert analyse()
  assert not analyse()


@pytest.mark.parametrize('name', ['pairs.csv', 'models.parquet'])
def test_a_table_that_was_touched(workdir, analyse, name):
  assert analyse()
  file = workdir / 'tables' / name
  content = file.read_bytes()
  file.write_bytes(content[:-3])
  assert analyse()
  assert file.read_bytes() == content
  file.unlink()
  assert analyse()
  assert file.read_bytes() == content


def test_another_program(analyse, monkeypatch):
  assert analyse()
  monkeypatch.setattr(provenance, 'code_digest', lambda: 'other')
  assert analyse()


def test_tables_of_a_run_that_was_cut_short(workdir, analyse, monkeypatch):
  assert analyse()
  write = table_io.write_table

  def fail(path, name, frame):
    if name == 'pairs':
      raise KeyboardInterrupt
    write(path, name, frame)

  monkeypatch.setattr(table_io, 'write_table', fail)
  with pytest.raises(KeyboardInterrupt):
    analyse(resamples=20)
  monkeypatch.setattr(table_io, 'write_table', write)
  assert analyse(resamples=20)


def test_tables_that_are_older_than_predictions(workdir, analyse, add_model):
  path = store.Store(workdir).workdir
  assert fingerprints.stale(path) == ''
  analyse()
  assert fingerprints.stale(path) == ''
  add_model(workdir, 'other', 7, replace=True)
  assert fingerprints.stale(path) == (
    f'predictions were stored in {workdir} after its tables were made, which '
    'do not show them: run `overlap analyse` first'
  )
  with pytest.warns(UserWarning, match='run `overlap analyse` first'):
    overlap.load_study(workdir)
  analyse()
  assert fingerprints.stale(path) == ''
  overlap.load_study(workdir)  # Warnings are errors here.


def test_tables_alone_are_not_older(workdir, analyse):
  path = store.Store(workdir).workdir
  analyse()
  shutil.rmtree(workdir / 'predictions' / 'toy')
  assert fingerprints.stale(path) == ''
  (workdir / 'predictions').rmdir()
  assert fingerprints.stale(path) == ''
  overlap.load_study(workdir)


@pytest.mark.parametrize('name', ['tables/done.json', 'predictions'])
def test_what_is_damaged_is_told_of_by_others(
  workdir, analyse, name, add_model
):
  analyse()
  add_model(workdir, 'other', 7, replace=True)
  whole = workdir / name
  for file in whole.rglob('record.json') if whole.is_dir() else [whole]:
    file.write_text('{}')
  assert fingerprints.stale(store.Store(workdir).workdir) == ''


def test_stages_say_that_they_begin(workdir, analyse, monkeypatch):
  said = []
  monkeypatch.setattr(
    logging, 'info', lambda text, *args: said.append(text % args)
  )
  monkeypatch.setattr(figures, 'save', lambda path, names: [])
  analyse()
  assert said[0] == 'analysing 2 models over toy/test'
  report.write_report(store.Store(workdir).workdir)
  assert said[-1] == 'drawing the figures and the page'


def test_the_programs_digest_is_that_of_its_files():
  assert provenance.code_digest() == provenance.code_digest()
  assert len(provenance.code_digest()) == 16

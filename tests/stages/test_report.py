"""Figures and page are drawn again exactly when they would be others."""

import json

import pandas as pd
import pytest
import vl_convert

from overlap import report, store
from overlap.core import checksums, errors, files, provenance
from overlap.stages import analyse as stages_analyse
from overlap.stages import report as stages_report
from overlap.workdir import fingerprints, layout, timings


def analyse(path):
  options = {'tables': ('models', 'pairs'), 'resamples': 10}
  stages_analyse.analyse(
    path,
    stages_analyse.store_request(path, None, None, 'base', options=options),
  )


@pytest.fixture(scope='module')
def analysed(tmp_path_factory, fill_store):
  """A store with tables."""
  path = store.Store(tmp_path_factory.mktemp('analysed')).workdir
  fill_store(path)
  analyse(path)
  return path


def configure(path, **changed):
  config = {'name': 's', 'report': {'figures': ['fig01', 'fig13']}} | changed
  checksums.write_json(path / 'config.json', {'config': config})


@pytest.fixture
def path(analysed, tmp_path):
  """It, with a config that asks for two figures; of one there is nothing."""
  copy = store.Store(tmp_path).workdir
  for name in store.folders.file_names(analysed):
    files.write_bytes(copy / name, (analysed / name).read_bytes())
  configure(copy)
  return copy


@pytest.fixture
def drew(monkeypatch):
  """Draws unless done; returns whether anything was drawn.

  The page and the pictures only tell what they were made from.
  """
  drawn = []

  def render(held, **shown):
    drawn.append(held)
    return files.canonical_json([sorted(held), shown])

  monkeypatch.setattr(report, 'render', render)
  for kind, made in (('svg', str), ('png', str.encode)):
    monkeypatch.setattr(
      vl_convert,
      f'vegalite_to_{kind}',
      lambda spec, made=made, **_: made(files.canonical_json(spec)),
    )

  def write(path, **options):
    before = len(drawn)
    page = stages_report.write_report(path, **options)
    assert page == path / 'report/index.html'
    assert page.exists()
    return len(drawn) > before

  return write


def content(path):
  """What was drawn, byte by byte."""
  return {
    f'{folder}/{name}': (path / folder / name).read_bytes()
    for folder in ('figures', 'report')
    for name in store.folders.file_names(path / folder)
  }


def test_once(path, drew):
  assert drew(path)
  before = content(path)
  assert sorted(before) == [
    'figures/done.json', 'figures/fig01.csv', 'figures/fig01.png',
    'figures/fig01.svg', 'report/done.json', 'report/index.html',
  ]  # fmt: skip
  entries = timings.read_timings(path)
  assert not drew(path)
  assert content(path) == before
  assert timings.read_timings(path) == entries
  assert drew(path, again=True)


def touch_table(path):
  file = path / 'tables/pairs.csv'
  table = pd.read_csv(file)
  file.write_text(table.to_csv(index=False) + '\n')
  fingerprints.note(path, {})


CHANGES = {
  'a table by hand': touch_table,
  'the config': lambda path: configure(path, name='other'),
  'fewer figures': lambda path: configure(path, report={'figures': []}),
  'more figures': lambda path: configure(
    path, report={'figures': ['fig01', 'fig02', 'fig13']}
  ),
  'no config': lambda path: (path / 'config.json').unlink(),
  'what a stage took': lambda path: layout.add_timing(
    path, 'predict', 'base', 1.0
  ),
  'pictures': lambda path: checksums.write_json(
    path / 'report/thumbnails.json', {'images': {}}
  ),
  'no page': lambda path: (path / 'report/index.html').unlink(),
  'another page': lambda path: (path / 'report/index.html').write_text('x'),
  'no figure': lambda path: (path / 'figures/fig01.png').unlink(),
  'another figure': lambda path: (path / 'figures/fig01.csv').write_text(''),
  'no figures': lambda path: (path / 'figures').rmtree(),
  'no note': lambda path: (path / 'report/done.json').unlink(),
  'a damaged note': lambda path: (path / 'report/done.json').write_text('{'),
  'no note of figures': lambda path: (path / 'figures/done.json').unlink(),
}


@pytest.mark.parametrize('change', CHANGES.values(), ids=CHANGES)
def test_again_after_a_change(path, drew, change):
  drew(path)
  change(path)
  assert drew(path)
  assert not drew(path)


def test_again_with_other_predictions(path, drew, add_model):
  drew(path)
  add_model(path, 'other', 7, replace=True)
  analyse(path)
  assert drew(path)
  assert not drew(path)


@pytest.mark.parametrize('pattern', ['**/*.py', 'report/page/*'])
def test_again_by_another_program(path, drew, monkeypatch, pattern):
  drew(path)
  digest = provenance.code_digest
  monkeypatch.setattr(
    provenance,
    'code_digest',
    lambda x='**/*.py': 'other' if x == pattern else digest(x),
  )
  assert drew(path)


def test_the_pages_parts_have_a_digest():
  digests = {provenance.code_digest(x) for x in ('**/*.py', 'report/page/*')}
  assert provenance.code_digest('no such file') not in digests
  assert len(digests) == 2


def test_what_changes_no_picture_draws_none(path, drew):
  drew(path)
  assert not drew(path)
  # The report's own time, which it notes when it is done; and one figure, drawn
  # by itself.
  layout.add_timing(path, 'report', None, 3.0)
  stages_report.draw(path, ['fig01'])
  stages_report.draw(path, ['fig03'])
  assert not drew(path)


def test_damage_is_told_and_not_passed_over(path, drew):
  drew(path)
  (path / 'tables/pairs.csv').write_text('')
  with pytest.raises(errors.DataError, match='pairs'):
    drew(path)


@pytest.mark.parametrize('again', [False, True])
def test_without_tables_nothing_is_drawn(path, drew, again):
  drew(path)
  (path / 'tables').rmtree()
  before = content(path)
  with pytest.raises(errors.DataError, match='overlap analyse'):
    drew(path, again=again)
  assert content(path) == before


def test_a_kill_at_any_write(path, drew, monkeypatch):
  drew(path)
  last = content(path)
  configure(path, name='other')
  drew(path)
  wanted = content(path)
  write = files.write_bytes
  for after in range(99):
    # From what the older config gave.
    configure(path)
    drew(path)
    configure(path, name='other')
    left = [after]

    def fail(place, text, left=left):
      if not left[0]:
        raise KeyboardInterrupt
      left[0] -= 1
      write(place, text)

    monkeypatch.setattr(files, 'write_bytes', fail)
    try:
      drew(path)
      break
    except KeyboardInterrupt:
      monkeypatch.setattr(files, 'write_bytes', write)
    # Back to where it came from, or on: neither is taken for done.
    if after % 2:
      configure(path)
    drew(path)
    assert without_times(content(path)) == without_times(
      last if after % 2 else wanted
    )
  assert after > 6


def without_times(found):
  """But for the page and its checksum: it shows what drawing it took."""
  done = json.loads(found['report/done.json'])
  assert done['files'].keys() == {'index.html'}
  figures = {k: v for k, v in found.items() if k.startswith('figures/')}
  return figures | {'made_of': done['made_of']}

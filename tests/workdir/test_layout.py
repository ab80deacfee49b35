"""A folder is bound to the config that made it."""

import json

import pytest

from overlap.core import errors
from overlap.workdir import layout

OLD = {'name': 'a', 'models': {'base': {'seed': 0}}}
NEW = {'name': 'a', 'models': {'base': {'seed': 1}}}


def opened(path, resolved, *, resume):
  """The config to work with, to which the folder is bound, as a run does."""
  chosen = layout.choose_config(path, resolved, resume=resume)
  layout.bind(path, chosen)
  return chosen


def test_a_fresh_folder_records_config_versions_and_device(tmp_path):
  path = tmp_path / 'new' / 'study'
  assert opened(path, OLD, resume='same') == OLD
  recorded = json.loads((path / 'config.json').read_text())
  assert recorded['config'] == OLD
  assert recorded['versions']['python']
  assert recorded['device']['count'] >= 1
  assert set(recorded) == {
    'config', 'config_hash', 'versions', 'device', 'git_revision', 'created',
    'checksum',
  }  # fmt: skip


def make(path):
  opened(path, OLD, resume='same')
  (path / 'models').mkdir()
  return (path / 'config.json').read_bytes()


def test_the_same_config_leaves_the_folder_as_it_is(tmp_path):
  before = make(tmp_path)
  opened(tmp_path, OLD, resume='same')
  assert (tmp_path / 'config.json').read_bytes() == before


def test_another_config_is_refused_updated_or_ignored(tmp_path):
  before = make(tmp_path)
  with pytest.raises(
    errors.UsageError, match=r'; 1 field differs: models\.base\.seed: 0 -> 1'
  ):
    opened(tmp_path, NEW, resume='same')
  assert (tmp_path / 'config.json').read_bytes() == before
  assert opened(tmp_path, NEW, resume='original') == OLD
  assert (tmp_path / 'config.json').read_bytes() == before
  assert opened(tmp_path, NEW, resume='update') == NEW
  assert layout.read_config(tmp_path) == NEW


def test_a_config_that_made_nothing_may_be_corrected(tmp_path):
  opened(tmp_path, OLD, resume='same')
  assert opened(tmp_path, NEW, resume='same') == NEW
  assert layout.read_config(tmp_path) == NEW


@pytest.mark.parametrize('has_checksum', [True, False])
def test_a_config_that_was_edited_is_told(tmp_path, has_checksum):
  make(tmp_path)
  file = tmp_path / 'config.json'
  held = json.loads(file.read_text())
  held['config']['models']['base']['seed'] = 1
  if not has_checksum:
    del held['checksum']
  file.write_text(json.dumps(held))
  for act in (
    lambda: layout.read_config(tmp_path),
    lambda: opened(tmp_path, NEW, resume='update'),
  ):
    with pytest.raises(errors.DataError, match='edited or damaged: delete it'):
      act()


def test_an_unknown_way_to_resume_names_the_choices(tmp_path):
  with pytest.raises(errors.UsageError, match='same, update, original'):
    opened(tmp_path, OLD, resume='x')


def test_timings_keep_the_last_of_each_stage_and_model(tmp_path):
  layout.add_timing(tmp_path, 'train', 'a', 1.0)
  layout.add_timing(tmp_path, 'train', 'b', 2.0)
  layout.add_timing(tmp_path, 'train', 'a', 3.0)
  timings = json.loads((tmp_path / 'timings.json').read_text())
  seconds = {e['model']: e['seconds'] for e in timings['stages']}
  assert seconds == {'a': 3.0, 'b': 2.0}
  assert timings['peak_memory_bytes'] > 1e6

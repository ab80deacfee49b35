"""What stages took: no entry is lost, and a summary of a run."""

import concurrent.futures
import json

from overlap.workdir import layout, timings


def entry(stage, model=None, seconds=1.0, split=None, peak=2**30):
  return {
    'stage': stage, 'model': model, 'split': split, 'seconds': seconds,
    'finished': '2026-01-02T03:04:05+00:00', 'peak_memory_bytes': peak,
  }  # fmt: skip


def test_runs_side_by_side_lose_none_of_each_other_s(tmp_path):
  names = [f'{model}/{i}' for model in 'abcd' for i in range(8)]
  with concurrent.futures.ThreadPoolExecutor(4) as pool:
    for name in names:
      pool.submit(timings.add, tmp_path, entry('train', name))
  joined = json.loads((tmp_path / 'timings.json').read_text())
  assert sorted(e['model'] for e in joined['stages']) == sorted(names)
  assert joined.pop('checksum')
  assert joined == timings.read_timings(tmp_path)


def test_one_that_joined_too_early_joins_again(tmp_path, monkeypatch):
  write = timings.checksums.write_json
  late = [entry('train', 'b')]

  def slow(path, value):
    # Another run adds its entry, and joins, while this one writes.
    if path.name == 'timings.json' and late:
      timings.add(tmp_path, late.pop())
    write(path, value)

  monkeypatch.setattr(timings.checksums, 'write_json', slow)
  timings.add(tmp_path, entry('train', 'a'))
  joined = json.loads((tmp_path / 'timings.json').read_text())
  assert [e['model'] for e in joined['stages']] == ['a', 'b']


def test_each_split_counts_and_the_last_run_of_each(tmp_path):
  for split, seconds in (('test', 5.0), ('probe', 2.0), ('test', 3.0)):
    timings.add(tmp_path, entry('predict', 'a', seconds, split))
  stages = timings.read_timings(tmp_path)['stages']
  assert {e['split']: e['seconds'] for e in stages} == {'test': 3.0, 'probe': 2}


def test_a_damaged_entry_is_left_out(tmp_path, caplog):
  for model in 'ab':
    timings.add(tmp_path, entry('train', model))
  (tmp_path / 'timings.json').unlink()
  file = tmp_path / 'timings/train.a.json'
  file.write_text(file.read_text().replace('1.0', '9.0'))
  assert [e['model'] for e in timings.read_timings(tmp_path)['stages']] == ['b']
  assert f'{file} must match its own checksum' in caplog.text


def test_a_summary_has_a_line_a_stage_with_its_longest_models():
  entries = [
    entry('train', 'a', 100.0),
    entry('train', 'b', 20.0, peak=2 * 2**30),
    entry('train', 'c', 30.0),
    entry('train', 'd', 10.0),
    entry('predict', 'a', 5.0, 'test'),
    entry('predict', 'a', 6.0, 'probe'),
    entry('report', seconds=4.0, peak=2**29),
  ]
  lines = timings.summary(
    entries, ('train', 'predict', 'analyse', 'report'), 180.0
  )
  assert lines[:-1] == [
    'train    2 min 40 s, at most 2.0 GiB so far; 4 models, longest: '
    'a 1 min 40 s, c 30 s, b 20 s',
    'predict  11 s, at most 1.0 GiB so far; 1 model, longest: a 11 s',
    'analyse  nothing left to do',
    'report   4.0 s, at most 512 MiB so far',
  ]
  assert lines[-1].startswith('in all   3 min 0 s, at most ')


def test_a_stage_notes_the_memory_until_then(tmp_path):
  layout.add_timing(tmp_path, 'predict', 'a', 1.0, split='test')
  (got,) = timings.read_timings(tmp_path)['stages']
  assert got['peak_memory_bytes'] > 1e6
  assert (got['stage'], got['model'], got['split']) == ('predict', 'a', 'test')

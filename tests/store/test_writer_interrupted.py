"""Writers that are killed, that share a record, that run out of luck."""

import os
import threading

import numpy as np
import pytest

from overlap import store
from overlap.core import errors
from overlap.store import chunks


@pytest.mark.parametrize('how', ['dropped', 'aborted', 'raised'])
def test_what_is_not_finished_is_not_seen(build, small_chunks, how):
  made = build(100)

  def start():
    writer = made.writer('m')
    writer.create('logits', shape=(100, 3), dtype='float32')
    writer.write('logits', 0, made.logits()[:70])
    return writer

  if how == 'dropped':
    start().flush()
    assert len(os.listdir(made.split_folder)) == 2
  elif how == 'aborted':
    start().abort()
  else:
    with pytest.raises(KeyboardInterrupt), start():
      raise KeyboardInterrupt
  if how != 'dropped':
    assert os.listdir(made.split_folder) == ['examples']
  assert made.models() == []
  assert store.Store(made.workdir).record('shapes', 'test', 'm') is None
  assert made.faults() == []
  made.add('m', logits=made.logits())
  np.testing.assert_array_equal(made.read('m'), made.logits())
  assert sorted(os.listdir(made.split_folder)) == ['examples', 'm']


_HALF = """
import sys, time
import numpy as np
from overlap import store
writer = store.RecordWriter(
  sys.argv[1], dataset='shapes', split='test', model='m')
writer.create('logits', shape=(9000, 300), dtype='float32')
for start in range(0, 9000, 100):
  writer.write('logits', start, np.ones((100, 300), np.float32))
  print(start, flush=True)
  time.sleep(0.005)
time.sleep(60)
"""


def test_a_killed_run_leaves_no_record_and_can_be_done_again(build):
  made = build(9000, 300)
  process = made.run(_HALF)
  for _ in range(45):
    process.stdout.readline()
  process.kill()
  process.communicate()
  left = set(os.listdir(made.split_folder)) - {'examples'}
  assert len(left) == 1
  assert left.pop().startswith('.m.')
  assert made.models() == []
  assert made.faults() == []
  made.add('m', 1000, logits=made.logits())
  np.testing.assert_array_equal(made.read('m'), made.logits())
  assert sorted(os.listdir(made.split_folder)) == ['examples', 'm']


def test_two_models_at_once(build, small_chunks):
  made = build(300)
  models = ['a', 'a.b', 'a/b', 'a.b.c']

  def add(seed, model):
    made.add(model, 1 + seed, logits=made.logits(seed))

  threads = [
    threading.Thread(target=add, args=item) for item in enumerate(models)
  ]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  assert made.models() == sorted(models)
  for seed, model in enumerate(models):
    np.testing.assert_array_equal(made.read(model), made.logits(seed))
  assert made.faults() == []


def test_threads_share_a_writer(build, small_chunks):
  made = build(400)
  logits = made.logits()
  with made.writer('m') as writer:
    writer.create('logits', shape=logits.shape, dtype='float32')

    def add(offset):
      for row in range(offset, 400, 4):
        writer.write('logits', row, logits[row : row + 1])

    threads = [threading.Thread(target=add, args=(k,)) for k in range(4)]
    for thread in threads:
      thread.start()
    for thread in threads:
      thread.join()
    writer.finish({})
  np.testing.assert_array_equal(made.read('m'), logits)


_PROCESS = """
import sys
import numpy as np
from overlap import store
from overlap.core import errors
writer = store.RecordWriter(
  sys.argv[1], dataset='shapes', split='test', model='m', token='0123456789ab',
  primary=sys.argv[2] == '0')
values = np.arange(3000, dtype=np.float32).reshape(1000, 3)
writer.create('logits', shape=values.shape, dtype='float32')
start, stop = int(sys.argv[3]), int(sys.argv[4])
for row in range(start, stop, 16):
  writer.write('logits', row, values[row : min(row + 16, stop)])
if sys.argv[2] == '0':
  writer.flush()
  print('flushed', flush=True)
  sys.stdin.readline()
try:
  writer.finish({})
except errors.DataError as e:
  print(e, flush=True)
else:
  print('finished', flush=True)
"""


@pytest.mark.parametrize(
  ('slices', 'text'),
  [
    (store.process_slices(1000, 3, 1), 'finished'),  # All in one chunk.
    (store.process_slices(1000, 3, 1024), 'finished'),
    ([(0, 300), (310, 600), (600, 1000)], '10 missing, the first of them row'),
    ([(0, 300), (290, 600), (600, 1000)], '10 repeated, the first of them row'),
  ],
)
def test_several_processes(build, slices, text):
  made = build(1000)
  processes = [
    made.run(_PROCESS, arguments=[str(index), str(start), str(stop)])
    for index, (start, stop) in enumerate(slices)
  ]
  for process in processes[1:]:
    assert process.communicate()[0] == 'finished\n'
  assert made.models() == []
  assert text in processes[0].communicate('go\n')[0]
  if text != 'finished':
    assert made.models() == []
    return
  expected = np.arange(3000, dtype=np.float32).reshape(1000, 3)
  np.testing.assert_array_equal(made.read('m'), expected)
  assert made.faults() == []


def test_memory_is_bounded(build):
  """200 MB pass through; the process grows by a fraction of it."""
  made = build(400_000, 2)
  code = """
import resource, sys
import numpy as np
from overlap import store
def peak():
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
with store.RecordWriter(
    sys.argv[1], dataset='shapes', split='test', model='m') as writer:
  writer.create('features', shape=(400_000, 128), dtype='float32')
  batch = np.ones((500, 128), np.float32)
  writer.write('features', 0, batch)
  before = peak()
  for start in range(500, 400_000, 500):
    writer.write('features', start, batch + start)
  writer.finish({})
print(peak() - before)
"""
  grown = float(made.run(code).communicate()[0])
  assert grown < 80
  read = made.read('m', 'features', 399_400, 399_600)
  expected = 1.0 + np.arange(399_400, 399_600) // 500 * 500
  np.testing.assert_array_equal(read[:, 7], expected)


def test_only_a_few_chunks_are_held(build, small_chunks):
  made = build(2000)
  writer = made.writer('m')
  writer.create('logits', shape=(2000, 3), dtype='float32')
  inner = writer._writers['logits']
  for row in range(0, 2000, 8):  # Begins every chunk, and fills none.
    writer.write('logits', row, made.logits()[row : row + 1])
    assert len(inner._open) <= chunks._MAX_OPEN
    assert len(inner._in_flight) <= chunks._MAX_IN_FLIGHT
  writer.abort()


def test_a_disk_at_fault_is_one_line_and_final(build, small_chunks):
  made = build(10)
  writer = made.writer('m')
  writer.create('logits', shape=(10, 3), dtype='float32')
  (folder,) = made.split_folder.glob('.m.*')
  (folder / 'logits/c').write_text('in the way')
  writer.write('logits', 0, made.logits())
  fault = r"^logits of model 'm' over shapes/test must be writable, got"
  with pytest.raises(errors.DataError, match=fault):
    writer.flush()
  (folder / 'logits/c').unlink()
  with pytest.raises(errors.DataError, match=fault):
    writer.finish({})
  writer.abort()
  assert os.listdir(made.split_folder) == ['examples']


def test_what_changes_before_it_is_read_back_is_found(build, small_chunks):
  made = build(100)
  writer = made.writer('m')
  writer.create('logits', shape=(100, 3), dtype='float32')
  writer.write('logits', 0, made.logits())
  writer.flush()
  (chunk,) = made.split_folder.glob('.m.*/logits/c/2/0')
  chunk.unlink()
  with pytest.raises(errors.DataError, match='is missing'):
    writer.finish({})
  assert made.models() == []

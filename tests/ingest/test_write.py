"""From blocks in any order into the store, and whether that is stored."""

import numpy as np
import pytest

from overlap import store
from overlap.core import errors
from overlap.ingest import sanity, source, write


def blocks(values, step):
  for start in range(0, len(values), step):
    yield start, values[start : start + step]


def written(case, places, step=5, **fields):
  arguments = {
    'dataset': 'shapes', 'split': 'test', 'model': 'm', 'replace': False,
    'arrays': {}, 'logits': blocks(case.logits, step), 'places': places,
    'record': {'source': 'ingest'},
    'tally': sanity.Tally(case.labels),
  }  # fmt: skip
  return write.write_model(case.workdir, **(arguments | fields))


def there_already(case, places, logits, arrays=None, step=5):
  record = store.Store(case.workdir).record('shapes', 'test', 'm')
  return write.stored_already(
    case.workdir, dataset='shapes', split='test', model='m', record=record,
    arrays=arrays or {}, places=places,
    logits=None if logits is None else blocks(logits, step),
    tally=sanity.Tally(case.labels),
  )  # fmt: skip


@pytest.mark.parametrize('rows', [1, 2, 23])
@pytest.mark.parametrize('step', [1, 5, 100])
@pytest.mark.parametrize('seed', [None, 0, 1])
def test_rows_land_in_their_places(make, rows, step, seed):
  case = make(rows=rows)
  case.store_examples()
  places = np.arange(rows)
  if seed is not None:
    places = np.random.default_rng(seed).permutation(rows)
  record = written(case, places, step)
  assert record['source'] == 'ingest'
  right = case.predicted == case.labels[places]
  assert record['accuracy'] == pytest.approx(right.mean())
  expected = np.empty_like(case.logits)
  expected[places] = case.logits
  np.testing.assert_array_equal(case.read('m'), expected)
  assert there_already(case, places, case.logits, step=step)


def test_scratch_is_read_in_parts(make, monkeypatch):
  monkeypatch.setattr(store.schema, 'CHUNK_BYTES', 64)
  case = make(rows=50)
  case.store_examples()
  places = np.random.default_rng(0).permutation(50)
  written(case, places)
  np.testing.assert_array_equal(case.read('m')[places], case.logits)


def test_classes_land_in_their_places(case):
  places = np.random.default_rng(0).permutation(len(case.ids))
  arrays = {
    'predicted': case.predicted.astype(np.int32),
    'confidence': case.confidence,
  }
  written(case, places, arrays=arrays, logits=None)
  for name, values in arrays.items():
    np.testing.assert_array_equal(case.read('m', name)[places], values)
  assert there_already(case, places, None, arrays)
  assert not there_already(case, places[::-1], None, arrays)
  del arrays['confidence']
  assert not there_already(case, places, None, arrays)


@pytest.mark.parametrize('row', [0, 11, 22])
def test_a_bit_of_difference_is_seen(case, row):
  places = np.random.default_rng(0).permutation(len(case.ids))
  written(case, places)
  other = case.logits.copy()
  other[row, 2] = np.nextafter(other[row, 2], np.float32(0))
  assert there_already(case, places, case.logits)
  assert not there_already(case, places, other)


def test_nan_is_the_same_as_itself(case):
  case.logits[3] = np.nan
  places = np.arange(len(case.ids))
  written(case, places)
  assert there_already(case, places, case.logits)


def test_a_fault_is_told_before_a_difference(case):
  places = np.arange(len(case.ids))
  written(case, places)

  def faulty():
    yield 0, case.logits[:5] + 1
    raise errors.DataError('at fault.')

  record = store.Store(case.workdir).record('shapes', 'test', 'm')
  with pytest.raises(errors.DataError, match='at fault'):
    write.stored_already(
      case.workdir, dataset='shapes', split='test', model='m', record=record,
      arrays={}, logits=faulty(), places=places,
      tally=sanity.Tally(case.labels),
    )  # fmt: skip


def test_a_record_stays_unless_replaced(case):
  places = np.arange(len(case.ids))
  written(case, places)
  with pytest.raises(errors.DataError, match='must not hold a record yet'):
    written(case, places)
  logits = case.logits + 1
  written(case, places, logits=blocks(logits, 5), replace=True)
  np.testing.assert_array_equal(case.read('m'), logits)


def test_blocks_of_a_source(case):
  places = np.arange(len(case.ids))
  written(case, places, logits=source.sliced(case.logits)())
  np.testing.assert_array_equal(case.read('m'), case.logits)

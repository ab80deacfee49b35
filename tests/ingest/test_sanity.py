"""Warnings where what was brought in can not be what it is meant to be."""

import logging

import numpy as np
import pytest

from overlap import store
from overlap.ingest import sanity


def tallied(labels, predicted):
  tally = sanity.Tally(np.asarray(labels))
  tally.add(0, np.asarray(predicted))
  return tally


def doubts(labels, predicted, classes, others=()):
  return sanity.doubts(
    tallied(labels, predicted),
    labels=np.asarray(labels),
    classes=classes,
    others=others,
  )


def test_counts_do_not_depend_on_the_blocks():
  rng = np.random.default_rng(0)
  labels, predicted = rng.integers(5, size=(2, 40))
  predicted[[3, 17]] = -1  # NaN among the logits: wrong, whatever is near
  labels[3] = 0
  tally = sanity.Tally(labels)
  for start in (30, 0, 10):
    stop = {30: 40, 0: 10, 10: 30}[start]
    tally.add(start, predicted[start:stop])
  usable = predicted >= 0
  assert tally.rows == 40
  assert tally.right == (labels == predicted).sum()
  assert tally.lower == (usable & (labels == predicted - 1)).sum()
  assert tally.higher == (usable & (labels == predicted + 1)).sum()
  assert tally.accuracy == tally.right / 40


@pytest.mark.parametrize(
  ('logits', 'expected'),
  [
    ([[1, 2], [2, 1], [2, 2]], [1, 0, 0]),
    ([[np.nan, 2], [2, np.nan], [-np.inf, -np.inf]], [-1, -1, 0]),
    (np.zeros((2, 0)), [-1, -1]),
  ],
)
def test_the_highest_logit(logits, expected):
  found = sanity.highest(np.asarray(logits, np.float32))
  assert found.tolist() == expected


@pytest.mark.parametrize('classes', [2, 3, 10, 100, 1000])
@pytest.mark.parametrize('rows', [1, 2, 3, 5, 10, 30, 100, 1000, 10_000])
def test_healthy_models_are_not_warned_of(rows, classes):
  """One warning in many hundreds at most, whatever the size."""
  rng = np.random.default_rng(rows + classes)
  chance, runs, warned = 1 / classes, 300, 0
  for _ in range(runs):
    labels = rng.integers(classes, size=rows)
    right = rng.random(rows) < max(0.6, chance + 0.3)
    wrong = (labels + rng.integers(1, classes, size=rows)) % classes
    predicted = np.where(right, labels, wrong)
    warned += bool(doubts(labels, predicted, classes, others=[0.8, 0.9, 0.7]))
  assert warned <= 1


@pytest.mark.parametrize('classes', [2, 3, 10, 1000])
def test_rows_in_another_order_are_warned_of(classes):
  rng = np.random.default_rng(classes)
  rows, runs, warned = 500, 100, 0
  for _ in range(runs):
    labels = rng.integers(classes, size=rows)
    predicted = rng.permutation(labels)
    warned += bool(doubts(labels, predicted, classes, others=[0.9]))
  # Beside those whose accuracy is a little above chance.
  assert warned >= (70 if classes == 2 else 95)


def test_what_is_said():
  labels = np.arange(2000) % 10
  (text,) = doubts(labels, (labels + 1) % 10, 10)
  assert text.startswith(
    'accuracy 0.0000 is below chance (0.1), and 0.9000 if every predicted '
    'class were one lower: look at the order of the classes'
  )
  weak = np.where(np.arange(2000) < 600, labels, (labels + 5) % 10)
  assert not doubts(labels, weak, 10)
  (text,) = doubts(labels, weak, 10, others=[0.7, 0.8, 0.9])
  assert 'below half of the median of the other models (0.8000)' in text
  assert not doubts(labels, weak, 10, others=[0.7, 0.55, 0.5])


def test_the_background_class():
  labels = np.arange(50) * 20 % 1000
  (text,) = doubts(labels, labels + 1, 1001)
  assert 'background class' in text
  assert 'accuracy is 1.0000 instead of 0.0000' in text
  assert not doubts(labels, labels, 1001)
  assert not doubts(labels[:1], labels[:1] + 1, 1001)


@pytest.fixture
def warnings(caplog):
  caplog.set_level(logging.WARNING)
  return lambda: [r.message for r in caplog.records]


def good(case, seed=0, rate=0.9):
  """Logits that are right so often."""
  rng = np.random.default_rng(seed)
  rows, classes = case.logits.shape
  wrong = (case.labels + rng.integers(1, classes, rows)) % classes
  best = np.where(rng.random(rows) < rate, case.labels, wrong)
  noise = rng.random(case.logits.shape).astype(np.float32)
  return np.eye(classes, dtype=np.float32)[best] * 3 + noise


@pytest.fixture
def many(make):
  case = make(rows=300)
  case.store_examples()
  return case


def test_each_model_has_its_accuracy(many):
  logits = good(many)
  right = (logits.argmax(axis=1) == many.labels).mean()
  ((record, new),) = many.ingest(many.npy('m.npy', logits))
  assert record['accuracy'] == pytest.approx(right)
  ((record, new),) = many.ingest(many.npy('m.npy', logits))
  assert not new
  assert record['accuracy'] == pytest.approx(right)
  stored = store.Store(many.workdir).record('shapes', 'test', 'm')
  assert stored['accuracy'] == pytest.approx(right)


def test_one_of_a_folder_is_out_of_order(many, warnings):
  """Whichever comes first, it is compared with all."""
  folder = many.folder / 'all'
  folder.mkdir()
  for seed, name in enumerate('abcd'):
    logits = good(many, seed)
    np.save(folder / f'{name}.npy', logits[::-1] if name == 'a' else logits)
  many.ingest(folder)
  (text,) = warnings()
  assert text.startswith('a: accuracy 0.')
  assert 'chance' in text or 'half of the median' in text


def test_healthy_models_of_a_folder(many, warnings):
  folder = many.folder / 'all'
  folder.mkdir()
  for seed in range(4):
    np.save(folder / f'{seed}.npy', good(many, seed, rate=0.6 + 0.1 * seed))
  many.ingest(folder)
  assert warnings() == []


def test_the_same_predictions_twice(many, warnings):
  logits = good(many)
  for name in 'ab':
    many.ingest(many.npy(f'{name}.npy', logits))
  assert warnings() == ["b: the same predictions as those of 'a'"]
  many.ingest(many.npy('a.npy', logits))
  many.ingest(many.npy('b.npy', logits), replace=True)
  assert len(warnings()) == 2


@pytest.mark.parametrize(('rate', 'expected'), [(1.0, 0), (0.99, 0), (0.8, 1)])
def test_classes_may_be_the_same_by_chance(many, warnings, rate, expected):
  predicted = good(many, rate=rate).argmax(axis=1)
  for name in 'ab':
    many.ingest(many.npy(f'{name}.npy', predicted))
  assert len(warnings()) == expected


def test_logits_that_are_probabilities(many, warnings):
  scores = np.exp(good(many).astype(np.float64))
  probabilities = scores / scores.sum(axis=1, keepdims=True)
  path = many.folder / 'm.npz'
  np.savez(path, logits=probabilities, ids=many.ids)
  many.ingest(path)
  (text,) = warnings()
  assert text.startswith('m: the rows of these logits are probabilities by')
  many.ingest(path, kind='logits', replace=True)
  assert len(warnings()) == 1
  np.savez(path, probs=probabilities, ids=many.ids)
  many.ingest(path, replace=True)
  np.savez(path, logits=np.log(probabilities), ids=many.ids)
  many.ingest(path, replace=True)
  assert len(warnings()) == 1


def test_others_that_were_not_ingested_are_read(many, warnings):
  for seed, name in enumerate('ab'):
    with store.RecordWriter(
      many.workdir, dataset='shapes', split='test', model=name
    ) as writer:
      writer.create('logits', shape=many.logits.shape, dtype=np.float32)
      writer.write('logits', 0, good(many, seed))
      writer.finish({'source': 'predict'})
  many.ingest(many.npy('c.npy', good(many, 2, rate=0.31)))
  (text,) = warnings()
  assert 'below half of the median of the other models' in text


def test_a_damaged_neighbour_is_passed_over(many, warnings):
  many.ingest(many.npy('a.npy', good(many)))
  record = many.workdir / 'predictions/shapes/test/a/record.json'
  record.write_text(record.read_text()[:-9])
  many.ingest(many.npy('b.npy', good(many, 1)))
  assert many.models() == ['a', 'b']
  assert warnings() == []

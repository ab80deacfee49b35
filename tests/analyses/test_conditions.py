"""Means over conditions against loops over conditions, pairs and examples."""

import math

import numpy as np
import pytest

from overlap import store
from overlap.analyses import conditions, correctness, run
from overlap.core import errors as errors_lib
from overlap.stages import analyse

IDS = [f'i{i}' for i in range(30)]
CLASSES = 4
MODELS = ('base', 'hard', 'soft')


def draw(rng, labels, accuracy):
  """Classes, of which about so many are right; some are no answer."""
  wrong = (labels + rng.integers(1, CLASSES, len(labels))) % CLASSES
  chosen = np.where(rng.random(len(labels)) < accuracy, labels, wrong)
  return np.where(rng.random(len(labels)) < 0.1, -1, chosen).astype(np.int32)


def naive_kappa(one, two):
  """Cohen's kappa of being right; None where chance alone agrees."""
  n = len(one)
  p, q = sum(one) / n, sum(two) / n
  observed = sum(a == b for a, b in zip(one, two)) / n
  expected = p * q + (1 - p) * (1 - q)
  return None if expected == 1 else (observed - expected) / (1 - expected)


def write(folder, split, model, predicted):
  with store.RecordWriter(
    folder, dataset='d', split=split, model=model
  ) as writer:
    if model == 'soft':
      logits = np.eye(CLASSES, dtype=np.float32)[predicted]
      logits[predicted < 0] = np.nan
      writer.create('logits', shape=logits.shape, dtype=np.float32)
      writer.write('logits', 0, logits)
    else:
      writer.create('predicted', shape=predicted.shape, dtype=np.int32)
      writer.write('predicted', 0, predicted)
    writer.finish({})


@pytest.fixture
def study(tmp_path):
  """A store, and which examples each model gets right, by condition."""
  rng = np.random.default_rng(0)
  right = {}
  difficulty = {'c1': 0.3, 'c2': 0.6, 'c3': 0.9, 'easy': 1.0}
  for condition, accuracy in difficulty.items():
    split = f'test/{condition}'
    labels = rng.integers(0, CLASSES, len(IDS))
    store.write_examples(
      tmp_path, dataset='d', split=split, ids=IDS, labels=labels,
      class_names=[str(i) for i in range(CLASSES)],
    )  # fmt: skip
    for model in MODELS:
      if (condition, model) == ('c2', 'soft'):
        continue  # It has none there.
      predicted = draw(rng, labels, accuracy)
      if condition == 'easy':
        predicted = labels.astype(np.int32)
      write(tmp_path, split, model, predicted)
      right[condition, model] = (predicted == labels).tolist()
  return tmp_path, right


def expected_of(right, one, two):
  both = [
    c for c in ('c1', 'c2', 'c3', 'easy') if {(c, one), (c, two)} <= {*right}
  ]
  kappas = [naive_kappa(right[c, one], right[c, two]) for c in both]
  known = [kappa for kappa in kappas if kappa is not None]
  differ = [
    np.mean([a != b for a, b in zip(right[c, one], right[c, two])])
    for c in both
  ]
  return {
    'conditions': len(both),
    'n': len(both) * len(IDS),
    'accuracy_1': np.mean([np.mean(right[c, one]) for c in both]),
    'accuracy_2': np.mean([np.mean(right[c, two]) for c in both]),
    'error_inconsistency': np.mean(differ),
    'kappa': np.mean(known),
    'kappa_conditions': len(known),
  }


def check(table, right):
  assert len(table) == 3
  for row in table.to_dict('records'):
    assert (row['dataset'], row['split']) == ('d', 'test')
    expected = expected_of(right, row['model_1'], row['model_2'])
    got = {name: row[name] for name in expected}
    assert got == pytest.approx(expected)


@pytest.mark.parametrize('split', ['test/c1', 'test/c3'])
def test_against_loops_from_any_condition(study, split):
  folder, right = study
  made = run.analyse(
    workdir=folder, dataset='d', split=split, base='base',
    options={'tables': ['conditions']},
  )  # fmt: skip
  check(made['conditions'], right)


def test_a_split_that_is_no_condition_has_no_means(study):
  folder, _ = study
  store.write_examples(
    folder, dataset='d', split='other', ids=IDS, labels=[0] * len(IDS),
    class_names=['0', '1'],
  )  # fmt: skip
  for model in MODELS[:2]:
    write(folder, 'other', model, np.zeros(len(IDS), np.int32))
  made = run.analyse(
    workdir=folder, dataset='d', split='other', base='base',
    options={'tables': ['conditions']},
  )  # fmt: skip
  assert made['conditions'].empty


def test_the_split_that_has_the_conditions(study):
  """`--split=test` asks for the means, of all models."""
  folder, right = study
  request = analyse.store_request(folder, 'd', 'test', 'base')
  assert request['options']['tables'] == ['conditions']
  check(analyse.compute(folder, request)['conditions'], right)
  with pytest.raises(errors_lib.UsageError, match='d/test/c1'):
    analyse.store_request(
      folder, 'd', 'test', 'base', options={'tables': ['pairs']}
    )


@pytest.mark.parametrize('shape', [(0, 2), (0, 0), (3, 0)])
def test_no_conditions_and_no_pairs(shape):
  none = correctness.PairCounts(*np.zeros((4, *shape), np.int64))
  found = conditions.mean_over_conditions(none)
  assert found['conditions'].tolist() == [0] * shape[1]
  assert all(math.isnan(value) for value in found['kappa'])

"""The examples that predictions are of: made anew, or compared with."""

import numpy as np
import pytest

from overlap.core import errors
from overlap.ingest import examples
from overlap.ingest.beside import Labels
from overlap.ingest.source import Source

IDS = np.array(['c', 'a', 'b'])


def source(**fields) -> Source:
  return Source('classes', 3, predicted=np.array([0, 1, 1]), **fields)


def make(found, labels=None, class_names=None):
  return examples.make_examples(
    found, 'f', labels=labels, class_names=class_names
  )


def test_labels_of_the_file():
  made = make(source(ids=IDS, labels=np.array([2, 0, 0])))
  assert made.ids.tolist() == ['c', 'a', 'b']
  assert made.labels.tolist() == [2, 0, 0]
  assert made.class_names == ('0', '1', '2')
  assert not made.stored


def test_names_as_labels():
  made = make(source(ids=IDS, labels=np.array(['dog', 'cat', 'dog'])))
  assert made.class_names == ('cat', 'dog')
  assert made.labels.tolist() == [1, 0, 1]
  made = make(
    source(ids=IDS, labels=np.array(['dog', 'cat', 'dog'])),
    class_names=('dog', 'eel', 'cat'),
  )
  assert made.labels.tolist() == [0, 2, 0]


def test_labels_beside_are_found_by_id():
  labels = Labels(np.array([0, 1, 2]), np.array(['a', 'b', 'c']))
  made = make(source(ids=IDS), labels)
  assert made.labels.tolist() == [2, 0, 1]


def test_ids_of_the_labels_are_those_of_the_rows():
  made = make(source(), Labels(np.array([0, 1, 2]), IDS))
  assert made.ids.tolist() == IDS.tolist()
  assert made.labels.tolist() == [0, 1, 2]


def test_rows_have_ids_where_nothing_has():
  made = make(source(), Labels(np.array([0, 1, 2]), None))
  assert made.ids.tolist() == ['0000000', '0000001', '0000002']


def test_scores_say_how_many_classes_there_are():
  scores = Source('logits', 2, 7, lambda: iter(()), labels=np.array([0, 1]))
  assert len(make(scores).class_names) == 7


@pytest.mark.parametrize(
  ('labels', 'got'),
  [
    (None, 'needs labels, for the store has no examples'),
    (Labels(np.array([0, 1]), None), 'each of the 3 rows of f, got 2'),
    (Labels(np.array([0, 1]), IDS[:2]), "lacks 1 of 3, the first 'b' in row 2"),
    (Labels(np.arange(3), np.array(['c', 'a', 'a'])), "among them 'a'"),
    (Labels(np.array([0, -1, 2]), None), 'got -1 in row 1'),
  ],
)
def test_labels_that_do_not_fit(labels, got):
  with pytest.raises(errors.DataError) as caught:
    make(source(ids=IDS), labels)
  assert got in str(caught.value)


KNOWN = examples.Examples(
  np.array(['a', 'b', 'c']), np.array([0, 1, 2]), ('x', 'y', 'z'), stored=True
)


def place(found, labels=None):
  placed = examples.place(found, 'f', KNOWN, labels)
  assert placed.keep.all()
  return placed.places.tolist(), placed.aligned_by


def test_places():
  assert place(source(ids=IDS)) == ([2, 0, 1], 'id')
  assert place(source()) == ([0, 1, 2], 'row order')
  # The labels' file has the predictions' order and tells their ids.
  labels = Labels(np.array([2, 0, 1]), IDS)
  assert place(source(), labels) == ([2, 0, 1], 'row order')


def test_labels_are_compared():
  assert place(source(ids=IDS, labels=np.array([2, 0, 1])))[1] == 'id'
  assert place(source(ids=IDS, labels=np.array(['z', 'x', 'y'])))[1] == 'id'
  wrong = source(ids=IDS, labels=np.array([2, 0, 0]))
  with pytest.raises(errors.DataError, match='in 1 of 3 rows, the first in ro'):
    place(wrong)
  rows = Labels(np.array([0, 1, 0]), None)
  with pytest.raises(errors.DataError, match='row 2: 0, and 2 is stored'):
    place(source(), rows)


def test_rows_and_ids_of_labels_that_are_fewer():
  with pytest.raises(errors.DataError, match='each of the 3 rows of f, got 2'):
    place(source(), Labels(np.array([0, 1]), np.array(['a', 'b'])))


def test_find(case):
  assert examples.find(case.workdir, 'shapes', 'train') is None
  found = examples.find(case.workdir, 'shapes', 'test')
  assert found.stored
  assert found.ids.tolist() == case.ids.tolist()

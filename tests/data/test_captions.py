"""Captions: each example's own, the same whenever it comes."""

import numpy as np
import pytest

from overlap.core import errors
from overlap.data import captions
from overlap.data.examples import ArrayExamples
from overlap.data.views import Selected

NAMES = ('cat', 'dog', 'bird')
TEMPLATES = ('a {}', 'the {}', 'one {} here')


def examples(count=60):
  return ArrayExamples(
    dataset='noise',
    split='train',
    ids=np.array([f'train/{i}' for i in range(count)]),
    class_names=('n1', 'n2', 'n3'),
    images=np.zeros((count, 2, 2, 1), np.uint8),
    labels=np.arange(count) % 3,
  )


def made(of, seed=0, attributes=None):
  make = captions.from_classes(
    of,
    class_names=NAMES,
    templates=TEMPLATES,
    attributes=attributes or {},
    seed=seed,
  )
  return make(np.arange(len(of)))


def test_a_caption_names_the_class_in_one_of_the_templates():
  found = made(examples())
  used = set()
  for i, text in enumerate(found):
    whole = {t.replace('{}', NAMES[i % 3]): t for t in TEMPLATES}
    used.add(whole[text])
  assert used == set(TEMPLATES)


def test_a_caption_follows_the_seed_and_the_id_alone():
  whole = made(examples())
  order = np.array([5, 3, 40, 3 + 3])
  assert made(Selected(examples(), order)) == [whole[i] for i in order]
  other = made(examples(), seed=1)
  assert 10 < sum(a != b for a, b in zip(whole, other)) < 60


def test_attributes_of_a_class_follow_its_name_now_and_then():
  found = made(
    examples(300), attributes={'green': ('n1', 'n3'), 'old': ('n3',)}
  )
  endings = {
    label: {
      text.replace(NAMES[label], '{}').partition('{}')[2]
      for text in found[label::3]
    }
    for label in range(3)
  }
  plain = {template.partition('{}')[2] for template in TEMPLATES}
  green, old = (
    {f', {phrase}{ending}' for ending in plain} for phrase in ('green', 'old')
  )
  assert endings == {0: plain | green, 1: plain, 2: plain | green | old}
  with pytest.raises(errors.UsageError, match=r"'green'.*'n1'"):
    made(examples(), attributes={'green': ('n4',)})


def test_batches_have_their_texts():
  one = captions.Captioned(
    examples(),
    lambda indices: [f'{i}' for i in indices],
    lambda texts: {'number': np.array([int(t) for t in texts])},
  )
  batch = one.fetch([4, 2, 4])
  np.testing.assert_array_equal(batch['number'], [4, 2, 4])
  np.testing.assert_array_equal(batch['label'], [1, 2, 1])
  assert batch['image'].shape == (3, 2, 2, 1)

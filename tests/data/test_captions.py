"""Captions: each example's own, the same whenever it comes."""

import numpy as np
import pytest
from PIL import Image

from overlap import errors
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


def table(folder, text, name='web.csv'):
  for i in range(2):
    pixels = np.full((6, 8, 3), 50 * (i + 1), np.uint8)
    Image.fromarray(pixels).save(folder / f'{i}.png')
  (folder / name).write_text(text, encoding='utf-8')
  return str(folder / name)


def test_pairs_are_read_from_a_table(tmp_path):
  path = table(
    tmp_path, 'caption,path\n"grey, dark",0.png\nhell,1.png\nähnlich,0.png\n'
  )
  pairs = captions.Pairs(path, image_size=4, channels=3)
  assert pairs.dataset == 'web'
  assert list(pairs.ids) == ['0.png', '1.png', '0.png#2']
  assert pairs.texts(np.array([2, 0])) == ['ähnlich', 'grey, dark']
  batch = pairs.fetch([1, 2])
  assert batch['image'].shape == (2, 4, 4, 3)
  np.testing.assert_array_equal(batch['image'][:, 0, 0, 0], [100, 50])
  np.testing.assert_array_equal(batch['label'], 0)


@pytest.mark.parametrize(
  ('name', 'text', 'error', 'match'),
  [
    ('web.txt', 'path,caption\n', errors.UsageError, r'\.csv or \.tsv'),
    ('web.csv', 'path,caption\n', errors.DataError, 'no rows'),
    ('web.csv', 'file,caption\na,b\n', errors.DataError, 'file, caption'),
    ('web.tsv', 'path,caption\na,b\n', errors.DataError, 'columns path and'),
    ('web.csv', 'path,caption\na\n', errors.DataError, 'columns path and'),
  ],
)
def test_faulty_tables_are_one_line(tmp_path, name, text, error, match):
  with pytest.raises(error, match=match):
    captions.Pairs(table(tmp_path, text, name), image_size=4, channels=3)


def test_absent_files_are_one_line(tmp_path):
  with pytest.raises(errors.DataError, match='must be readable'):
    captions.Pairs(str(tmp_path / 'no.csv'), image_size=4, channels=3)
  pairs = captions.Pairs(
    table(tmp_path, 'path,caption\nno.png,x\n'), image_size=4, channels=3
  )
  with pytest.raises(errors.DataError, match=r'no\.png must be readable'):
    pairs.fetch([0])

"""Pairs of image files and captions, listed in a table."""

import numpy as np
import pytest
from PIL import Image

from overlap.core import errors
from overlap.data import pairs


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
  found = pairs.open_pairs(path, image_size=4, channels=3)
  assert found.dataset == 'web'
  assert list(found.ids) == ['0.png', '1.png', '0.png#2']
  assert found.texts(np.array([2, 0])) == ['ähnlich', 'grey, dark']
  batch = found.fetch([1, 2])
  assert batch['image'].shape == (2, 4, 4, 3)
  np.testing.assert_array_equal(batch['image'][:, 0, 0, 0], [100, 50])
  np.testing.assert_array_equal(batch['label'], 0)


@pytest.mark.parametrize(
  ('name', 'text', 'error', 'match'),
  [
    ('web.txt', 'path,caption\n', errors.DataError, r'\.csv or \.tsv, in'),
    ('web.csv', 'path,caption\n', errors.DataError, 'no rows'),
    ('web.csv', 'file,caption\na,b\n', errors.DataError, 'file, caption'),
    ('web.tsv', 'path,caption\na,b\n', errors.DataError, 'columns path and'),
    ('web.csv', 'path,caption\na\n', errors.DataError, 'columns path and'),
  ],
)
def test_faulty_tables_are_one_line(tmp_path, name, text, error, match):
  with pytest.raises(error, match=match):
    pairs.open_pairs(table(tmp_path, text, name), image_size=4, channels=3)


def test_absent_files_are_one_line(tmp_path):
  with pytest.raises(errors.DataError, match='must be readable'):
    pairs.open_pairs(str(tmp_path / 'no.csv'), image_size=4, channels=3)
  found = pairs.open_pairs(
    table(tmp_path, 'path,caption\nno.png,x\n'), image_size=4, channels=3
  )
  with pytest.raises(errors.DataError, match=r'no\.png must be readable'):
    found.fetch([0])

"""Pairs in tar files, as WebDataset and img2dataset write them."""

import gzip
import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from overlap.core import errors
from overlap.data import pairs


def image(number, form='PNG'):
  stream = io.BytesIO()
  Image.fromarray(np.full((6, 8, 3), number, np.uint8)).save(stream, form)
  return stream.getvalue()


def write(path, members, **options):
  """Writes {name: content} as a tar file; a float time makes longer headers."""
  path.parent.mkdir(parents=True, exist_ok=True)
  with tarfile.open(path, 'w', **options) as tar:
    for name, content in members.items():
      member = tarfile.TarInfo(name)
      member.size, member.mtime = len(content), 1.5
      tar.addfile(member, io.BytesIO(content))
  return path


def sample(number, text=None):
  text = f'number {number}\n' if text is None else text
  return {
    f'{number:09d}.png': image(number),
    f'{number:09d}.json': b'{"caption": "another"}',
    f'{number:09d}.txt': text.encode(),
  }


@pytest.fixture
def folder(tmp_path):
  """Three shards of two pairs, numbers 0, 1, 10, 11, 20, 21."""
  for shard in range(3):
    first = 10 * shard
    write(
      tmp_path / 'web' / f'{shard:05d}.tar', sample(first) | sample(first + 1)
    )
  (tmp_path / 'web' / '00000_stats.json').write_text('{}')
  return tmp_path / 'web'


def load(path):
  return pairs.open_pairs(str(path), image_size=4, channels=3)


def check(found):
  """Images, texts and ids say the same number."""
  order = np.random.default_rng(0).integers(0, len(found), 20)
  numbers = [int(str(found.ids[i]).rpartition('/')[2]) for i in order]
  batch = found.fetch(order)
  np.testing.assert_array_equal(batch['image'][:, 3, 3, 0], numbers)
  np.testing.assert_array_equal(batch['label'], 0)
  assert found.texts(order) == [f'number {n}' for n in numbers]


def test_pairs_of_a_folder(folder):
  found = load(folder)
  assert found.dataset == 'web'
  assert found.ids.tolist() == [
    f'{s:05d}/{10 * s + i:09d}' for s in range(3) for i in range(2)
  ]
  check(found)


@pytest.mark.parametrize(
  ('pattern', 'count', 'name'),
  [('0000[02].tar', 4, 'web'), ('*.tar', 6, 'web'), ('00001.tar', 2, '00001')],
)
def test_pairs_of_a_pattern(folder, pattern, count, name):
  found = load(folder / pattern)
  assert (len(found), found.dataset) == (count, name)
  check(found)


def test_files_of_the_same_name_in_several_folders(tmp_path):
  for part in ('a', 'b'):
    write(tmp_path / 'x[1]' / part / '0.tar', sample(ord(part)))
  with pytest.raises(errors.DataError, match='has none of them'):
    load(tmp_path / 'x[1]')
  found = load(tmp_path / '*' / '*' / '0.tar')
  assert found.ids.tolist() == ['a/0/000000097', 'b/0/000000098']
  check(found)


@pytest.mark.parametrize('form', [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT])
def test_other_forms_of_tar_and_keys_in_folders(tmp_path, form):
  key = 'p/' + 'long' * (20 if form == tarfile.USTAR_FORMAT else 40)
  members = {
    f'./{key}.a.txt': b'of another kind',
    f'./{key}.mask.png': b'no image to look at',
    f'./{key}.JPG': image(70, 'JPEG'),
    f'./{key}.TXT': ' grün '.encode(),
    '._hidden.png': b'',
  }
  found = load(write(tmp_path / 'one.tar', members, format=form))
  assert found.ids.tolist() == [f'one/./{key}']
  assert found.texts(np.array([0])) == ['grün']
  assert found.fetch([0])['image'].shape == (1, 4, 4, 3)


def test_samples_that_lack_one_are_counted(folder, caplog):
  write(
    folder / '00009.tar',
    {'90.jpg': image(90)}
    | {'91.txt': b'alone'}
    | {'92.png': image(92), '92.txt': b''}
    | sample(93),
  )
  with caplog.at_level('WARNING'):
    found = load(folder)
  assert len(found) == 7
  check(found)
  assert len(caplog.messages) == 1
  assert '3 of 10 samples have no image or no caption' in caplog.text
  assert 'the first 00009/90' in caplog.text


def test_no_pairs_are_a_fault(tmp_path):
  path = write(tmp_path / 'web.tar', {'0.png': image(0)})
  with pytest.raises(errors.DataError, match='got none: 1 of 1 samples lack'):
    load(path)
  with pytest.raises(errors.DataError, match='got none: 0 of 0 samples lack'):
    load(write(tmp_path / 'empty.tar', {}))
  (tmp_path / 'nothing').mkdir()
  with pytest.raises(errors.DataError, match="nothing', which has none"):
    load(tmp_path / 'nothing')


def _garbled(name):
  """Spoils a header in the middle, after which tarfile may go no further."""

  def change(content):
    place = content.rindex(name)
    return content[:place] + b'\xff' * 300 + content[place + 300 :]

  return change


@pytest.mark.parametrize(
  ('change', 'match'),
  [
    (lambda content: content[: len(content) // 2], 'whole tar file'),
    (lambda content: content[:700], 'whole tar file'),
    (lambda content: content.rstrip(b'\0') + bytes(100), 'whole tar file'),
    (lambda content: b'', 'whole tar file'),
    (_garbled(b'././@PaxHeader'), 'no member and no end at byte'),
    (_garbled(b'000000011.txt'), 'whole tar file'),
    (gzip.compress, 'uncompressed'),
    (lambda content: b'no tar file' * 999, 'whole tar file'),
  ],
)
def test_damaged_files_are_one_line(folder, change, match):
  path = folder / '00001.tar'
  path.write_bytes(change(path.read_bytes()))
  with pytest.raises(errors.DataError, match=match) as error:
    load(folder)
  assert str(path) in str(error.value)
  assert '\n' not in str(error.value)


def test_two_images_of_a_sample_are_a_fault(tmp_path):
  members = sample(1) | {'000000001.jpg': image(1, 'JPEG')}
  with pytest.raises(errors.DataError, match=r'one image a sample.*001\.jpg'):
    load(write(tmp_path / 'web.tar', members))


def test_what_is_wrong_with_one_pair_names_it(tmp_path):
  members = {
    'a.png': b'none',
    'a.txt': b'\xff',
    'b.png': image(1),
    'b.txt': b'b',
  }
  found = load(write(tmp_path / 'web.tar', members))
  assert found.texts(np.array([1])) == ['b']
  with pytest.raises(errors.DataError, match='web/a must be UTF-8'):
    found.texts(np.array([1, 0]))
  with pytest.raises(errors.DataError, match='web/a must be an image'):
    found.fetch([0])
  (tmp_path / 'web.tar').write_bytes(b'')
  with pytest.raises(errors.DataError, match='has become shorter'):
    found.fetch([1])
